# SPDX-License-Identifier: MIT
"""From `name:tag` to a digest: pin first, registry second, recipe third, else a reason; doubles only in tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from suite_deploy.errors import CouldNotRun, InvalidInput
from suite_deploy.images import builder, resolve
from suite_deploy.images.builder import build
from suite_deploy.images.lock import ALLOW_DOUBLES, Pin, now, read_lock, write_lock
from suite_deploy.images.recipe import DOUBLE_LABEL, Recipe
from suite_deploy.images.resolve import ImageResolution, resolve_local, resolve_locked
from suite_deploy.images.store import Store
from tests.unit.images_fakes import FakeRegistry, fake_registry, recipe, system

APP = "registry.invalid/app:1"
OTHER = "elsewhere.invalid/other:2"
DOUBLE: dict[str, Any] = {"config": {"entrypoint": ["/start.sh"], "labels": {DOUBLE_LABEL: "true"}}}


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with fake_registry() as running:
        yield running


class World:
    """A machine: its cache, its lock, the suite's registry, and which upstream registries answer."""

    def __init__(self, folder: Path, registry: FakeRegistry):
        self.folder, self.registry = folder, registry
        self.lock = folder / "images.lock.yml"
        self.asked: list[set[str]] = []
        self.installed: list[str] = []
        self.answering: set[str] = set()

    @property
    def store(self) -> Store:
        return Store(self.folder / "cache/images")

    def unreachable(self, hosts: set[str], seconds: float = 0) -> dict[str, str]:
        self.asked.append(set(hosts))
        return {host: "Name or service not known" for host in hosts if host not in self.answering}

    def install(self, packages: Sequence[str], progress: Any) -> None:
        self.installed += packages

    def resolve(self, *wanted: str, recipes: Sequence[Recipe] = (), mirror: str | None = None) -> ImageResolution:
        return resolve_local(
            wanted,
            self.registry.address,
            self.folder / "cache",
            self.lock,
            lambda text: None,
            recipes=recipes,
            install_packages=self.install,
            mirror=mirror,
        )


@pytest.fixture
def world(tmp_path: Path, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path, registry)
    monkeypatch.setattr(builder, "build_system", system)
    monkeypatch.setattr(resolve, "unreachable", made.unreachable)
    monkeypatch.delenv(ALLOW_DOUBLES, raising=False)
    return made


def test_offline_a_recipe_is_built_and_the_rest_is_skipped_with_the_reason(world: World, tmp_path: Path) -> None:
    result = world.resolve(APP, OTHER, recipes=[recipe(tmp_path / "r")])
    digest = read_lock(world.lock)[APP].digest
    assert result.pinned == {APP: f"{world.registry.address}/registry.invalid/app@{digest}"}
    assert set(result.skipped) == {OTHER}
    assert "elsewhere.invalid does not answer (Name or service not known)" in result.skipped[OTHER]
    assert "there is no recipe" in result.skipped[OTHER]
    assert ("registry.invalid/app", digest) in world.registry.manifests
    assert set(read_lock(world.lock)) == {APP}
    assert world.asked == [{"registry.invalid", "elsewhere.invalid"}]


def test_the_second_run_asks_nobody_and_writes_nothing(world: World, tmp_path: Path) -> None:
    wanted = recipe(tmp_path / "r")
    first = world.resolve(APP, recipes=[wanted])
    before = world.lock.read_bytes()
    world.asked.clear()
    world.registry.requests.clear()
    assert world.resolve(APP, recipes=[wanted]) == first
    assert world.asked == []
    assert world.registry.writes() == []
    assert world.lock.read_bytes() == before


def test_a_registry_that_lost_its_data_is_filled_from_the_cache(world: World, tmp_path: Path) -> None:
    wanted = recipe(tmp_path / "r")
    first = world.resolve(APP, recipes=[wanted])
    world.registry.manifests.clear()
    world.registry.blobs.clear()
    assert world.resolve(APP, recipes=[wanted]) == first
    assert world.registry.manifests


def test_a_changed_recipe_is_built_anew(world: World, tmp_path: Path) -> None:
    first = world.resolve(APP, recipes=[recipe(tmp_path / "r")])
    changed = recipe(tmp_path / "r", config={"entrypoint": ["/start.sh"], "user": "2000"})
    second = world.resolve(APP, recipes=[changed])
    assert first.pinned[APP] != second.pinned[APP]
    assert read_lock(world.lock)[APP].recipe == changed.key


def test_an_image_built_anew_with_newer_packages_replaces_the_pinned_one(world: World, tmp_path: Path) -> None:
    wanted = recipe(tmp_path / "r")
    first = world.resolve(APP, recipes=[wanted])
    newer = build(world.store, recipe(tmp_path / "newer", tag="2"), lambda text: None).digest
    world.store.remember_image(wanted.key, {"digest": newer, "reference": APP, "built": now().isoformat()})
    second = world.resolve(APP, recipes=[wanted])
    assert first.pinned[APP] != second.pinned[APP]
    assert second.pinned[APP].endswith(newer)


def test_a_recipe_for_another_version_is_no_recipe_for_this_one(world: World, tmp_path: Path) -> None:
    result = world.resolve("registry.invalid/app:2", recipes=[recipe(tmp_path / "r")])
    assert f"the recipe makes {APP}" in result.skipped["registry.invalid/app:2"]


def test_a_failing_build_is_a_skip_and_stops_nothing_else(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = recipe(tmp_path / "broken", name="registry.invalid/broken")
    works = recipe(tmp_path / "works")

    def failing(store: Store, wanted: Recipe, *arguments: Any, **options: Any) -> Any:
        if wanted is broken:
            raise CouldNotRun("mmdebstrap failed (exit 25)\n  downloading\n  E: no such package")
        return build(store, wanted, *arguments, **options)

    monkeypatch.setattr(resolve, "build", failing)
    result = world.resolve(broken.reference, APP, recipes=[broken, works])
    assert "mmdebstrap failed (exit 25) … E: no such package" in result.skipped[broken.reference]
    assert set(result.pinned) == {APP}


def test_packages_are_installed_only_when_a_recipe_will_run(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolve, "required_packages", lambda wanted: ["mmdebstrap"])
    wanted = recipe(tmp_path / "r")
    world.resolve(OTHER, recipes=[wanted])
    assert world.installed == []
    world.resolve(APP, recipes=[wanted])
    assert world.installed == ["mmdebstrap"]
    world.lock.unlink()
    world.resolve(APP, recipes=[wanted])
    assert world.installed == ["mmdebstrap"]


def upstream(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> str:
    """An upstream registry that answers and has the application; returns its digest."""
    store = Store(tmp_path / "upstream")
    theirs = recipe(tmp_path / "theirs", tag="upstream", **changes)
    digest = build(store, theirs, lambda text: None).digest
    world.answering.add("registry.invalid")
    monkeypatch.setattr(resolve, "upstream_digest", lambda name, tag: digest)
    monkeypatch.setattr(
        resolve,
        "copy_upstream",
        lambda name, source, asked, local, on_line: local.push(store, name.rpartition(":")[0], asked, "upstream"),
    )
    monkeypatch.setattr("shutil.which", lambda program: program)
    return digest


def test_an_answering_registry_comes_before_the_recipe(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = upstream(world, tmp_path, monkeypatch)
    result = world.resolve(APP, recipes=[recipe(tmp_path / "r")])
    assert result.pinned[APP].endswith(f"@{digest}")
    assert read_lock(world.lock)[APP].origin == "registry"
    # what was pinned stays pinned, whoever answers later
    world.answering.clear()
    assert world.resolve(APP) == result


def test_a_mirror_is_asked_instead_of_the_upstream_registry(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream(world, tmp_path, monkeypatch)
    world.answering.clear()
    world.answering.add("own.example")
    sources: list[str] = []
    copy: Any = vars(resolve)["copy_upstream"]

    def noted(name: str, source: str, *rest: Any) -> None:
        sources.append(source)
        copy(name, source, *rest)

    monkeypatch.setattr(resolve, "copy_upstream", noted)
    result = world.resolve(APP, mirror="own.example/copies")
    assert set(result.pinned) == {APP}
    assert sources == ["own.example/copies/app:1"]
    assert read_lock(world.lock)[APP].mirror == "own.example/copies"
    assert result.pinned[APP].startswith(f"{world.registry.address}/registry.invalid/app@")


def test_an_image_the_registry_does_not_have_is_built(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream(world, tmp_path, monkeypatch)

    def unknown(name: str, tag: str) -> str:
        raise CouldNotRun("skopeo failed (exit 1)\n  manifest unknown")

    monkeypatch.setattr(resolve, "upstream_digest", unknown)
    assert set(world.resolve(APP, recipes=[recipe(tmp_path / "r")]).pinned) == {APP}
    reason = world.resolve("registry.invalid/none:1").skipped["registry.invalid/none:1"]
    assert "registry.invalid: skopeo failed (exit 1) … manifest unknown" in reason


def test_a_pinned_upstream_image_that_was_lost_is_fetched_by_its_digest_only(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream(world, tmp_path, monkeypatch)
    first = world.resolve(APP)
    world.registry.manifests.clear()
    monkeypatch.setattr(resolve, "upstream_digest", lambda name, tag: "sha256:" + "f" * 64)
    assert world.resolve(APP) == first


@pytest.mark.parametrize("way", ["recipe", "registry", "pin"])
def test_a_double_never_reaches_a_unit_outside_tests(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    wanted = recipe(tmp_path / "r", **DOUBLE)
    if way == "registry":
        upstream(world, tmp_path, monkeypatch, **DOUBLE)
    if way == "pin":
        digest = build(world.store, wanted, lambda text: None).digest
        # whatever the lock claims, the image says what it is
        write_lock(world.lock, {APP: Pin(digest=digest, origin="registry", resolved=now())})
    with pytest.raises(InvalidInput, match="double"):
        world.resolve(APP, recipes=[wanted])
    monkeypatch.setenv(ALLOW_DOUBLES, "1")
    assert set(world.resolve(APP, recipes=[wanted]).pinned) == {APP}


def test_a_double_pinned_by_a_test_is_pushed_from_the_cache(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ALLOW_DOUBLES, "1")
    digest = build(world.store, recipe(tmp_path / "r", **DOUBLE), lambda text: None).digest
    write_lock(world.lock, {OTHER: Pin(digest=digest, origin="double", resolved=now())})
    assert world.resolve(OTHER).pinned == {OTHER: f"{world.registry.address}/elsewhere.invalid/other@{digest}"}
    assert world.asked == []
    write_lock(world.lock, {OTHER: Pin(digest="sha256:" + "e" * 64, origin="double", resolved=now())})
    with pytest.raises(InvalidInput, match="neither built nor in the suite's registry"):
        world.resolve(OTHER)


def using(*names: str) -> Any:
    """A component that uses these images, as a deployment tells of it."""
    images = {name: SimpleNamespace(name=name.rpartition(":")[0], tag=name.rpartition(":")[2]) for name in names}
    return SimpleNamespace(slug="it", description=SimpleNamespace(images=images))


def test_elsewhere_a_missing_pin_names_the_command_that_makes_it(tmp_path: Path) -> None:
    deployment: Any = SimpleNamespace(
        given="region-x",
        is_local=False,
        images_lock=tmp_path / "images.lock.yml",
        suite=SimpleNamespace(images=SimpleNamespace(mirror=None)),
        ordered=[using(APP)],
    )
    digest = "sha256:" + "a" * 64
    write_lock(deployment.images_lock, {APP: Pin(digest=digest, origin="registry", resolved=now())})
    assert resolve_locked(deployment) == {APP: f"registry.invalid/app@{digest}"}
    deployment.suite.images.mirror = "own.example:5000/copies"
    assert resolve_locked(deployment) == {APP: f"own.example:5000/copies/app@{digest}"}
    deployment.ordered = [using(APP, OTHER, "x.invalid/y:3")]
    with pytest.raises(InvalidInput, match="suite-deploy images lock region-x") as caught:
        resolve_locked(deployment)
    assert {problem.key for problem in caught.value.problems} == {f"images.{OTHER}", "images.x.invalid/y:3"}
