# SPDX-License-Identifier: MIT
"""Keycloak's rendered environment: only variables that upstream reads, the image's build options, a closed console."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from suite_deploy.model.deployment import Component, Deployment
from suite_deploy.model.loader import load
from suite_deploy.render.render import render
from tests.contract.support import known

VARIABLES = "keycloak-variables.txt"
#: options `kc.sh build` fixes; others make a server that was built without them build itself at every start
BUILD_OPTIONS = ("KC_DB", "KC_HEALTH_ENABLED", "KC_METRICS_ENABLED", "KC_FEATURES", "KC_HTTP_RELATIVE_PATH")


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return load("demo")


@pytest.fixture(scope="module")
def keycloak(deployment: Deployment) -> Component:
    found = deployment.provider_of("identity")
    assert found is not None
    return found


def environment(deployment: Deployment, keycloak: Component) -> dict[str, str]:
    files = {item.path: item.content for item in render(deployment).files if item.component == keycloak.slug}
    lines = files[f"/etc/suite/{keycloak.slug}/server.env"].splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture(scope="module")
def variables(deployment: Deployment, keycloak: Component) -> dict[str, str]:
    return environment(deployment, keycloak)


def test_every_variable_is_one_that_upstream_reads(variables: dict[str, str]) -> None:
    assert variables.keys() <= set(known(VARIABLES))


def test_image_is_built_for_what_the_unit_asks(variables: dict[str, str], keycloak: Component) -> None:
    recipe = yaml.safe_load((keycloak.folder / "image.yml").read_text())
    built = next(step["env"] for layer in recipe["layers"] for step in layer.get("run", []))
    assert {name: variables[name] for name in BUILD_OPTIONS if name in variables} == built
    [image] = keycloak.description.images.values()
    assert recipe["image"] == {"name": image.name, "tag": image.tag}


def test_database_is_reached_over_verified_tls_only(variables: dict[str, str]) -> None:
    assert variables["KC_DB_URL"].endswith("?sslmode=verify-full&sslrootcert=/etc/suite-ca.pem")


def test_forwarded_headers_count_from_edge_only(variables: dict[str, str], deployment: Deployment) -> None:
    trusted = variables["KC_PROXY_TRUSTED_ADDRESSES"].split(",")
    assert len(trusted) == 2
    assert all(address != "0.0.0.0/0" for address in trusted)


def test_console_is_at_home_behind_the_tunnel(deployment: Deployment, keycloak: Component) -> None:
    changed = replace(keycloak, options={**keycloak.options, "admin_tunnel_port": 9080})
    moved = environment(replace(deployment, components={**deployment.components, keycloak.slug: changed}), changed)
    assert moved["KC_HOSTNAME_ADMIN"] == "http://localhost:9080"
    assert moved["KC_HOSTNAME"] == keycloak.url


def test_outside_sees_one_realm(keycloak: Component) -> None:
    opened = {route.path for route in keycloak.description.routes if route.to}
    assert {path for path in opened if path.startswith("/realms")} == {"/realms/suite/"}
    assert not [path for path in opened if path == "/" or path.startswith(("/admin", "/health", "/metrics"))]
    assert any(route.path == "/" and route.deny for route in keycloak.description.routes)


def test_heap_leaves_room_below_the_limit(keycloak: Component) -> None:
    limit = keycloak.description.services["server"].memory
    assert limit.endswith("M")
    assert int(keycloak.options["heap_mib"]) + 350 <= int(limit[:-1])
