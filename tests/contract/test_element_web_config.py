# SPDX-License-Identifier: MIT
"""Element Web's config.json: only keys that upstream reads, every default leading outside replaced, no foreign host."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from suite_deploy.model.deployment import Deployment
from suite_deploy.render.render import render
from tests.contract.support import at, deployment_of, heading, known, unknown, with_options

KEYS, DEFAULTS = "element-web-keys.txt", "element-web-defaults.txt"
#: maps whose keys are names that hold dots
NAMED = ("enable_presence_by_hs_url", "setting_defaults")
VARIANTS: dict[str, dict[str, Any]] = {
    "calls": {"synapse": {}, "lk-jwt": {}, "element-web": {}},
    "no calls": {"synapse": {"federation": "open", "presence": True}, "element-web": {}},
    "options": {"synapse": {"server_name": "people.example"}, "element-web": {"brand": "Chat", "country": "BE"}},
}


@pytest.fixture(params=VARIANTS)
def deployment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return deployment_of(tmp_path_factory.mktemp("chat"), VARIANTS[request.param])


def configuration(deployment: Deployment) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(render(deployment).config_files("element-web")["config.json"])
    return found


def keys(value: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{prefix}{key}"
            if f"{prefix}{key}" not in NAMED:
                yield from keys(inner, f"{prefix}{key}.")
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner, prefix)


def words(value: Any) -> Iterator[str]:
    """Every text in it, keys included."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from words(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from words(inner)
    elif isinstance(value, str):
        yield value


def defaults() -> dict[str, str]:
    """Key to what upstream uses when config.json does not say."""
    return dict(line.split(" ", 1) for line in known(DEFAULTS))


def test_every_key_is_one_that_upstream_reads(deployment: Deployment) -> None:
    assert not unknown(keys(configuration(deployment)), known(KEYS))


@pytest.mark.parametrize("name", [KEYS, DEFAULTS])
def test_lists_are_of_the_version_deployed(name: str) -> None:
    from suite_deploy.model.components import describe

    version = describe("element-web").images["web"].tag.removeprefix("v")
    assert f"Element Web {version} " in heading(name), f"read it anew for {version} into {name}"


def test_every_default_that_leads_outside_is_replaced(deployment: Deployment) -> None:
    """Upstream merges config.json into its defaults: what is left out of an object keeps upstream's value."""
    found = configuration(deployment)
    for key, upstream in defaults().items():
        value = at(found, key)
        assert value != upstream
        host = re.sub(r"^https://([^/]+).*", r"\1", upstream)
        assert host not in json.dumps(value), f"{key} still leads to {host}"


def test_no_object_is_nulled(deployment: Deployment) -> None:
    """Upstream ignores a null in place of an object, and so would use its defaults."""
    found = configuration(deployment)
    for key in {key.split(".")[0] for key in defaults() if "." in key}:
        assert isinstance(found[key], dict), key


def test_no_foreign_host_is_named(deployment: Deployment) -> None:
    own = {deployment.domain, deployment.components["synapse"].options["server_name"]}
    name = re.compile(r"(?<![\w.-])(?:[a-z0-9-]+\.)+[a-z]{2,}(?![\w.-])")
    found = {host for word in words(configuration(deployment)) for host in name.findall(word)}
    files = {host for host in found if host.rsplit(".", 1)[1] in ("svg", "jpg", "png")}
    foreign = {host for host in found - files if not any(f".{host}".endswith(f".{one}") for one in own)}
    foreign -= {"m.homeserver"}
    assert not foreign


def test_list_of_defaults_names_hosts_outside_only() -> None:
    assert len(defaults()) >= 18
    assert all("." in value for value in defaults().values())


def test_the_homeserver_is_the_suites_own_and_fixed(deployment: Deployment) -> None:
    found, synapse = configuration(deployment), deployment.components["synapse"]
    wanted = {"base_url": synapse.url, "server_name": synapse.options["server_name"]}
    assert found["default_server_config"] == {"m.homeserver": wanted}, "an identity server would stand beside it"
    assert found["disable_custom_urls"] and found["disable_guests"] and found["disable_3pid_login"]
    assert found["room_directory"] == {"servers": [wanted["server_name"]]}


def test_calls_are_offered_when_they_can_be_made(deployment: Deployment) -> None:
    found, there = configuration(deployment), "lk-jwt" in deployment.components
    assert found["setting_defaults"]["UIFeature.voip"] is there
    assert set(found["features"].values()) == {there}
    assert found["element_call"]["use_exclusively"] is True, "or Jitsi is used"


def test_options_land_where_they_belong(deployment: Deployment) -> None:
    found = configuration(with_options(deployment, "element-web", brand="Causer", country="CH"))
    assert (found["brand"], found["element_call"]["brand"], found["default_device_display_name"]) == ("Causer",) * 3
    assert found["default_country_code"] == "CH"
    synapse = deployment.components["synapse"].options
    assert found["default_federate"] is (synapse["federation"] != "closed")
    assert found["enable_presence_by_hs_url"] == {"https://matrix.media.example": synapse["presence"]}


def test_pages_may_be_framed_by_nobody_else() -> None:
    from suite_deploy.model.components import describe

    (route,) = [route for route in describe("element-web").routes if route.to]
    assert route.headers["Content-Security-Policy"] == "frame-ancestors 'self'"
    assert route.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert route.headers["X-Content-Type-Options"] == "nosniff"
    assert all(f"{device}=(self)" in route.headers["Permissions-Policy"] for device in ("camera", "microphone"))
