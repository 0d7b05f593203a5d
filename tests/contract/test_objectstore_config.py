# SPDX-License-Identifier: MIT
"""The store's rendered environment: only variables that upstream reads, no port for its administration."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from suite_deploy.model.deployment import Component, Deployment
from suite_deploy.model.loader import load
from suite_deploy.render.render import render
from suite_deploy.render.vocabulary import bucket_of
from tests.contract.support import known

VARIABLES = "objectstore-variables.txt"
#: variables that make it listen elsewhere, or tell others what happens
OUTWARD = ("WEBUI", "WEBSITE", "PPROF", "METRICS", "EVENT", "WEBHOOK", "LOGFILE", "DEBUG")


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return load("demo")


@pytest.fixture(scope="module")
def store(deployment: Deployment) -> Component:
    found = deployment.provider_of("objectstore")
    assert found is not None, "an application of the demo needs a bucket"
    return found


@pytest.fixture(scope="module")
def variables(deployment: Deployment, store: Component) -> dict[str, str]:
    files = {item.path: item.content for item in render(deployment).files if item.component == store.slug}
    lines = files[f"/etc/suite/{store.slug}/gateway.env"].splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {name: value.strip('"') for name, value in pairs}


def role(store: Component, path: str) -> dict[str, Any]:
    """A file of the component's role."""
    return dict(yaml.safe_load((store.folder / path).read_text()))


def test_every_variable_is_one_that_upstream_reads(variables: dict[str, str]) -> None:
    assert variables.keys() <= set(known(VARIABLES))


def test_it_speaks_to_nobody_and_listens_for_s3_alone(variables: dict[str, str]) -> None:
    assert [name for name in variables if any(word in name for word in OUTWARD)] == []
    assert variables["VGW_PORT"] == ":7070"
    # without an address of its own, the administration answers where the buckets do
    assert variables["VGW_ADMIN_PORT"].startswith("/") and variables["VGW_SOCKET_PERM"] == "0600"


def test_role_finds_what_the_unit_gives_it(deployment: Deployment, store: Component, variables: dict[str, str]) -> None:
    given, fixed = role(store, "defaults/main.yml"), role(store, "vars/main.yml")
    host = {volume.mount: f"/srv/{store.slug}/{name}" for name, volume in store.description.volumes.items()}
    folder, _, name = variables["VGW_ADMIN_PORT"].rpartition("/")
    assert given["objectstore_admin_socket"] == f"{host[folder]}/{name}"
    assert fixed["_objectstore_root_access_key"] == variables["ROOT_ACCESS_KEY_ID"]
    assert given["objectstore_region"] == variables["VGW_REGION"]
    tenants = [item for item in deployment.ordered if item.description.needs.bucket]
    assert {bucket_of(deployment, item).region for item in tenants} == {variables["VGW_REGION"]}


def test_everything_it_keeps_is_on_a_volume(store: Component, variables: dict[str, str]) -> None:
    kept = {
        variables["VGW_IAM_DIR"],
        variables["VGW_VERSIONING_DIR"],
        store.description.services["gateway"].command[-1],
    }
    assert kept == {volume.mount for volume in store.description.volumes.values()}


def test_recipe_builds_the_image_that_the_unit_runs(store: Component) -> None:
    recipe = role(store, "image.yml")
    [image] = store.description.images.values()
    assert recipe["image"] == {"name": image.name, "tag": image.tag}
    [program] = [layer for layer in recipe["layers"] if layer["kind"] == "go"]
    assert program["version"] == image.tag


def test_root_account_has_no_bucket_of_its_own(deployment: Deployment, variables: dict[str, str]) -> None:
    keys = [bucket_of(deployment, item).access_key for item in deployment.ordered if item.description.needs.bucket]
    assert variables["ROOT_ACCESS_KEY_ID"] not in keys and len(keys) == len(set(keys))
