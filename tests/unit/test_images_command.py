# SPDX-License-Identifier: MIT
"""`suite-deploy images`: what is listed, what is refused, and that building uses the machine's cache."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from suite_deploy import paths
from suite_deploy.errors import CouldNotRun, InvalidInput
from suite_deploy.images import builder, registry
from suite_deploy.images.lock import Pin, now, read_lock, write_lock
from suite_deploy.main import cli
from suite_deploy.paths import resource_root, state_dir
from suite_deploy.runners import elevate
from tests.unit.images_fakes import recipe, system


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SUITE_DEPLOY_STATE_ROOT", str(tmp_path / "state"))
    monkeypatch.setattr(paths, "machine_cache", lambda: tmp_path / "cache")
    monkeypatch.setattr(elevate, "become_root", lambda reason: None)
    monkeypatch.setattr(builder, "build_system", system)
    monkeypatch.setattr(builder, "required_packages", lambda wanted: [])
    return tmp_path


@pytest.fixture
def own_recipes(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe(machine / "roles/one", name="registry.invalid/one")
    recipe(machine / "roles/two", name="registry.invalid/two")
    monkeypatch.setattr(paths, "resource_root", lambda: machine)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["images", *arguments], catch_exceptions=True)


def rows(*arguments: str) -> list[dict[str, Any]]:
    result = run(*arguments, "--format", "json")
    assert result.exit_code == 0, result.output
    return list(json.loads(result.stdout)["images"])


def test_recipes_are_listed_with_what_the_cache_holds(own_recipes: None) -> None:
    assert [(row["component"], row["origin"]) for row in rows("list")] == [("one", "not built"), ("two", "not built")]
    built = rows("build", "two", "--quiet")
    assert [item["image"] for item in built] == ["registry.invalid/two:1"]
    listed = {row["component"]: row for row in rows("list")}
    assert listed["one"]["origin"] == "not built"
    assert (listed["two"]["origin"], listed["two"]["digest"]) == ("recipe", built[0]["digest"])


def test_without_names_every_recipe_is_built_once(own_recipes: None) -> None:
    first = run("build", "--quiet")
    assert [line.split("@")[0] for line in first.stdout.splitlines()] == [
        "registry.invalid/one:1",
        "registry.invalid/two:1",
    ]
    assert all("cached, built just now" in line for line in run("build", "--quiet").stdout.splitlines())


def test_a_component_without_a_recipe_is_refused_by_name(own_recipes: None) -> None:
    error = run("build", "three").exception
    assert isinstance(error, InvalidInput)
    assert error.exit_code == 2
    assert "three: has no image recipe" in str(error) and "one, two" in str(error)


def test_an_inventory_s_images_are_listed_with_their_pins(machine: Path) -> None:
    suite = {
        "schema": 1,
        "suite": "region-x",
        "domain": "region-x.example",
        "profile": "dev",
        "infrastructure": {"driver": "local", "hosts": {"one": {"groups": ["edge", "apps", "data"]}}},
        "components": {"keycloak": {}, "synapse": {}},
    }
    path = machine / "region-x/suite.yml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(suite))
    description = yaml.safe_load((resource_root() / "roles/keycloak/component.yml").read_text())
    image = next(iter(description["images"].values()))
    reference = f"{image['name']}:{image['tag']}"
    pin = Pin(digest="sha256:" + "a" * 64, origin="registry", resolved=now() - timedelta(days=3))
    write_lock(state_dir("region-x", "local") / "images.lock.yml", {reference: pin})
    listed = {row["component"]: row for row in rows("list", str(path))}
    assert (listed["keycloak"]["image"], listed["keycloak"]["origin"]) == (reference, "registry")
    assert listed["synapse"]["digest"] is None
    text = run("list", str(path)).stdout
    assert "3 days ago" in text and "not pinned" in text


EXISTING = {
    "schema": 1,
    "suite": "locked",
    "domain": "locked.example",
    "profile": "dev",
    "infrastructure": {
        "driver": "existing",
        "hosts": {"one": {"groups": ["edge", "apps", "data"], "address": "h.example", "private_address": "192.0.2.7"}},
    },
    "components": {"keycloak": {}, "synapse": {}},
}


@pytest.fixture
def inventory(machine: Path) -> Path:
    path = machine / "locked" / "suite.yml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(EXISTING))
    return path


def test_locking_pins_every_image_to_what_its_registry_has(inventory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "upstream_digest", lambda name, tag: f"sha256:{len(name):064x}")
    done = CliRunner().invoke(cli, ["images", "lock", str(inventory)])
    assert done.exit_code == 0, done.output
    pinned = read_lock(inventory.parent / "images.lock.yml")
    assert {pin.origin for pin in pinned.values()} == {"registry"}
    assert pinned["quay.io/keycloak/keycloak:26.7.3"].digest == f"sha256:{len('quay.io/keycloak/keycloak'):064x}"


def test_a_registry_that_does_not_answer_leaves_the_lock_as_it_was(
    inventory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(name: str, tag: str) -> str:
        if "synapse" in name:
            raise CouldNotRun("no such host")
        return f"sha256:{1:064x}"

    monkeypatch.setattr(registry, "upstream_digest", silent)
    done = CliRunner().invoke(cli, ["images", "lock", str(inventory)])
    assert isinstance(done.exception, CouldNotRun)
    assert "synapse" in str(done.exception) and "unchanged" in str(done.exception)
    assert not (inventory.parent / "images.lock.yml").exists()


def test_local_images_are_not_locked_by_hand() -> None:
    done = CliRunner().invoke(cli, ["images", "lock", "demo"])
    assert done.exit_code == 2
    assert "pins their images itself" in done.output
