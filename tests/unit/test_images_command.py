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
from suite_deploy.images import builder, locking, upstream
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


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Digest by the reference that is asked for; a registry that has no image in it does not know the tag."""
    known: dict[str, str] = {}

    def digest_of(reference: str, timeout: float, retries: int = 0) -> str:
        if reference not in known:
            raise CouldNotRun(f'skopeo failed\ntime="x" level=fatal msg="reading {reference}: manifest unknown"')
        return known[reference]

    monkeypatch.setattr(upstream, "digest_of", digest_of)
    monkeypatch.setattr(upstream, "unreachable", lambda hosts: {})
    monkeypatch.setattr(locking, "need_skopeo", lambda: None)
    return known


def used_images() -> list[str]:
    """`name:tag` of what the inventory's components use."""
    return sorted(
        f"{image['name']}:{image['tag']}"
        for slug in ("keycloak", "synapse")
        for image in yaml.safe_load((resource_root() / f"roles/{slug}/component.yml").read_text())["images"].values()
    )


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def test_locking_pins_every_image_to_what_its_registry_has(inventory: Path, answers: dict[str, str]) -> None:
    answers.update({name: digest(number) for number, name in enumerate(used_images())})
    done = CliRunner().invoke(cli, ["images", "lock", str(inventory)])
    assert done.exit_code == 0, done.output
    pinned = read_lock(inventory.parent / "images.lock.yml")
    assert {name: pin.digest for name, pin in pinned.items()} == answers
    assert {(pin.origin, pin.mirror) for pin in pinned.values()} == {("registry", None)}


def test_locking_again_says_what_changed_and_leaves_the_rest_as_it_is(inventory: Path, answers: dict[str, str]) -> None:
    first, second = used_images()
    old = now() - timedelta(days=9)
    pins = {
        name: Pin(digest=digest(7), origin="registry", resolved=old) for name in (first, second, "gone.invalid/x:1")
    }
    write_lock(inventory.parent / "images.lock.yml", pins)
    answers.update({first: digest(7), second: digest(8)})
    done = CliRunner().invoke(cli, ["images", "lock", str(inventory), "--format", "json"])
    changes = {item["image"]: item["change"] for item in json.loads(done.stdout)["images"]}
    assert changes == {first: "unchanged", second: "changed", "gone.invalid/x:1": "dropped"}
    pinned = read_lock(inventory.parent / "images.lock.yml")
    assert set(pinned) == {first, second}
    assert pinned[first].resolved == old and pinned[second].resolved > old
    text = CliRunner().invoke(cli, ["images", "lock", str(inventory)]).stdout
    assert "changed" not in text and "2 images are pinned" in text


def test_with_a_mirror_the_mirror_is_asked_and_named(inventory: Path, answers: dict[str, str]) -> None:
    inventory.write_text(yaml.safe_dump(EXISTING | {"images": {"mirror": "own.example:5000/copies"}}))
    at_mirror = {f"own.example:5000/copies/{name.partition('/')[2]}": digest(1) for name in used_images()}
    answers.update(at_mirror)
    done = CliRunner().invoke(cli, ["images", "lock", str(inventory)])
    assert done.exit_code == 0, done.output
    pinned = read_lock(inventory.parent / "images.lock.yml")
    assert {pin.mirror for pin in pinned.values()} == {"own.example:5000/copies"}
    listed = CliRunner().invoke(cli, ["images", "list", str(inventory), "--format", "json"])
    assert {row["from"] for row in json.loads(listed.stdout)["images"]} == {"own.example:5000/copies"}


def test_the_upstream_registries_are_asked_although_there_is_a_mirror(inventory: Path, answers: dict[str, str]) -> None:
    inventory.write_text(yaml.safe_dump(EXISTING | {"images": {"mirror": "own.example:5000/copies"}}))
    answers.update({name: digest(1) for name in used_images()})
    assert CliRunner().invoke(cli, ["images", "lock", str(inventory)]).exit_code == 1
    done = CliRunner().invoke(cli, ["images", "lock", str(inventory), "--upstream"])
    assert done.exit_code == 0, done.output
    assert {pin.mirror for pin in read_lock(inventory.parent / "images.lock.yml").values()} == {None}


def test_every_image_that_cannot_be_had_is_named_and_the_lock_stays(inventory: Path, answers: dict[str, str]) -> None:
    done = CliRunner().invoke(cli, ["images", "lock", str(inventory)])
    assert isinstance(done.exception, CouldNotRun) and done.exception.exit_code == 1
    assert all(f"{name}: there is no such image or tag" in str(done.exception) for name in used_images())
    assert "is as it was" in str(done.exception)
    assert not (inventory.parent / "images.lock.yml").exists()


def test_a_registry_that_is_away_is_named_once(
    inventory: Path, answers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "unreachable", lambda hosts: {"quay.io": "Connection refused"})

    def refused(reference: str, timeout: float, retries: int = 0) -> str:
        if reference.startswith("quay.io/"):
            raise CouldNotRun('time="x" level=fatal msg="pinging container registry quay.io: connection refused"')
        return answers[reference]

    answers.update({name: digest(1) for name in used_images()})
    monkeypatch.setattr(upstream, "digest_of", refused)
    done = CliRunner().invoke(cli, ["images", "lock", str(inventory)])
    text = str(done.exception)
    assert text.count("quay.io") == 1 and "the registry quay.io does not answer (Connection refused): 1 image" in text
    (away,) = (name.partition("/")[2] for name in used_images() if name.startswith("quay.io/"))
    assert f"\n    {away}\n" in text, "every image is named"
    assert "run the same command where that registry can be reached" in text and "`images.mirror`" in text


def test_a_registry_that_only_skopeo_reaches_is_not_away(
    inventory: Path, answers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "unreachable", lambda hosts: dict.fromkeys(hosts, "no such name"))
    answers.update({name: digest(1) for name in used_images()})
    assert CliRunner().invoke(cli, ["images", "lock", str(inventory)]).exit_code == 0


def test_without_skopeo_the_package_is_named(inventory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(inventory.parent))
    done = CliRunner().invoke(cli, ["images", "lock", str(inventory)])
    assert "apt-get install skopeo" in str(done.exception)


@pytest.mark.parametrize("origin", ["recipe", "double", None])
def test_only_what_a_registry_gave_is_copied_to_a_mirror(inventory: Path, answers: dict[str, str], origin: Any) -> None:
    if origin:
        pins = {name: Pin(digest=digest(1), origin=origin, resolved=now()) for name in used_images()}
        write_lock(inventory.parent / "images.lock.yml", pins)
    done = CliRunner().invoke(cli, ["images", "mirror", str(inventory), "--to", "own.example"])
    assert isinstance(done.exception, InvalidInput)
    assert all(name in str(done.exception) for name in used_images())
    assert "suite-deploy images lock" in str(done.exception)


@pytest.mark.parametrize(
    "to", ["https://own.example", "Own.example/x", "own.example/x:tag", "", "u:S3cret@own.example"]
)
def test_a_mirror_is_written_as_its_key_takes_it(inventory: Path, to: str) -> None:
    done = CliRunner().invoke(cli, ["images", "mirror", str(inventory), "--to", to])
    assert done.exit_code == 2 and "host[:port][/path]" in done.output
    assert "S3cret" not in done.output


def test_local_images_are_not_locked_by_hand() -> None:
    done = CliRunner().invoke(cli, ["images", "lock", "demo"])
    assert done.exit_code == 2
    assert "pins their images itself" in done.output
