# SPDX-License-Identifier: MIT
"""Building doubles: only what calls itself one, pinned as one, beside the pins that were there."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite_deploy.errors import InvalidInput
from suite_deploy.images import builder
from suite_deploy.images.lock import Pin, now, read_lock, write_lock
from suite_deploy.images.recipe import DOUBLE_LABEL
from suite_deploy.images.store import Store
from tests.doubles import build
from tests.unit.images_fakes import recipe, system

LABELLED = {"entrypoint": ["/start.sh"], "labels": {DOUBLE_LABEL: "true"}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Doubles `one` and `two/a`, `two/b`, and a cache of their own."""
    monkeypatch.setattr(build, "machine_cache", lambda: tmp_path / "cache")
    monkeypatch.setattr(builder, "build_system", system)
    monkeypatch.setattr(build, "required_packages", lambda recipe: [])
    doubles = tmp_path / "doubles"
    recipe(doubles / "one", name="registry.invalid/one", config=LABELLED)
    for variant in ("a", "b"):
        made = recipe(doubles / "two", name=f"registry.invalid/two-{variant}", config=LABELLED)
        made.path.rename(made.folder / f"image-{variant}.yml")
    return doubles


def silent(text: str) -> None:
    """Progress that nobody reads."""


def test_doubles_are_pinned_as_such_and_other_pins_stay(folder: Path, tmp_path: Path) -> None:
    lock, digest = tmp_path / "state/images.lock.yml", f"sha256:{'1' * 64}"
    other = Pin(digest=digest, origin="recipe", resolved=now(), recipe="key")
    write_lock(lock, {"registry.invalid/real:1": other, "registry.invalid/one:1": other})
    assert build.pin(lock, progress=silent, folder=folder) == [
        "registry.invalid/one:1",
        "registry.invalid/two-a:1",
        "registry.invalid/two-b:1",
    ]
    pins = read_lock(lock)
    assert pins["registry.invalid/real:1"] == other
    doubles = {name: pin for name, pin in pins.items() if pin.origin == "double"}
    assert len(doubles) == 3
    store = Store(tmp_path / "cache/images")
    assert all(store.labels(pin.digest)[DOUBLE_LABEL] == "true" for pin in doubles.values())


@pytest.mark.parametrize(("asked", "built"), [("one", ["one"]), ("two", ["two-a", "two-b"]), ("two/b", ["two-b"])])
def test_a_name_is_a_folder_or_one_of_its_variants(folder: Path, tmp_path: Path, asked: str, built: list[str]) -> None:
    made = build.pin(tmp_path / "lock.yml", [asked], silent, folder)
    assert made == [f"registry.invalid/{name}:1" for name in built]


def test_an_unknown_name_is_refused_with_those_there_are(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="Doubles: one, two/a, two/b"):
        build.pin(tmp_path / "lock.yml", ["three"], silent, folder)
    assert not (tmp_path / "lock.yml").exists()


def test_a_recipe_without_the_label_is_refused(folder: Path, tmp_path: Path) -> None:
    recipe(folder / "three", name="registry.invalid/three")
    with pytest.raises(InvalidInput, match=r"three/image.yml: config.labels: org.suite-deploy.double is missing"):
        build.pin(tmp_path / "lock.yml", ["one"], silent, folder)
    assert not (tmp_path / "lock.yml").exists()


def test_two_doubles_of_one_image_are_refused(folder: Path) -> None:
    recipe(folder / "three", name="registry.invalid/one", config=LABELLED)
    with pytest.raises(InvalidInput, match=r"registry.invalid/one:1 is one's already"):
        build.recipes(folder)


def test_the_project_s_doubles_stand_for_images_without_a_recipe_of_the_product() -> None:
    from suite_deploy.images.recipe import find_recipes
    from suite_deploy.paths import resource_root

    real = {item.reference for item in find_recipes(resource_root() / "roles").values()}
    doubles = {item.reference for item in build.recipes().values()}
    assert not real & doubles
