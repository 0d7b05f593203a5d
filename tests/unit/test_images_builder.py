# SPDX-License-Identifier: MIT
"""Building: once per recipe, only what changed, safe for two at once, nothing left behind."""

from __future__ import annotations

import json
import multiprocessing
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from suite_deploy.errors import CouldNotRun
from suite_deploy.images import builder, fetch
from suite_deploy.images.builder import account_entries, build, image_config, required_packages
from suite_deploy.images.layers import text_file
from suite_deploy.images.recipe import Account, MavenLayer, PypiLayer, Recipe
from suite_deploy.images.store import Store
from tests.unit.images_fakes import ACCOUNTS, recipe, system

WHEELS = {
    "kind": "pypi",
    "requirements": "app.lock",
    "python": "3.13",
    "into": "/usr/local/lib/python3.13/dist-packages",
}
ARTIFACT = {
    "kind": "maven",
    "group": "org.example",
    "artifact": "app",
    "version": "1.0",
    "packaging": "jar",
    "sha256": "0" * 64,
    "into": "/opt/app",
}


def silent(text: str) -> None:
    """Progress nobody reads."""


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Builds without an archive; what was fetched, in order."""
    calls: list[str] = []

    def wheels(layer: Any, *arguments: Any) -> list[Any]:
        calls.append("pypi")
        return [text_file("usr/local/lib/python3.13/dist-packages/app.py", b"pass\n")]

    def systems(*arguments: Any, **options: Any) -> Any:
        calls.append("debian")
        return system(*arguments, **options)

    monkeypatch.setattr(builder, "build_system", systems)
    monkeypatch.setattr(builder, "pypi_entries", wheels)
    return calls


def with_wheels(folder: Path, lock: str = "app==1 --hash=sha256:0\n", **changes: Any) -> Recipe:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "app.lock").write_text(lock)
    layers = [WHEELS, {"kind": "files", "files": [{"to": "/start.sh", "source": "start.sh"}]}]
    return recipe(folder, **{"layers": layers, **changes})


def test_the_second_build_does_nothing(tmp_path: Path, fetched: list[str]) -> None:
    store, wanted = Store(tmp_path / "store"), with_wheels(tmp_path / "recipe")
    first = build(store, wanted, silent)
    assert fetched == ["debian", "pypi"]
    second = build(store, wanted, silent)
    assert fetched == ["debian", "pypi"]
    assert (second.digest, second.seconds) == (first.digest, 0.0)
    assert list((tmp_path / "store/work").iterdir()) == []


def test_only_the_layer_that_changed_is_made_again(tmp_path: Path, fetched: list[str]) -> None:
    store, wanted = Store(tmp_path / "store"), with_wheels(tmp_path / "recipe")
    before = build(store, wanted, silent)
    (wanted.folder / "start.sh").write_text("#!/bin/sh\necho changed\n")
    after = build(store, Recipe(wanted.path, wanted.content), silent)
    assert fetched.count("pypi") == 1
    assert before.digest != after.digest
    old, new = (store.manifest(item.digest)["layers"] for item in (before, after))
    assert [layer["digest"] for layer in old[:2]] == [layer["digest"] for layer in new[:2]]
    build(store, with_wheels(tmp_path / "recipe", "app==2 --hash=sha256:0\n"), silent)
    assert fetched.count("pypi") == 2


def test_a_folder_beside_the_recipe_is_taken_as_a_whole(tmp_path: Path, fetched: list[str]) -> None:
    store = Store(tmp_path / "store")
    app = tmp_path / "recipe/app"
    for name in ("main.py", "lib/tool", "__pycache__/main.pyc", "lib/__pycache__/x.pyc"):
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        (app / name).write_text(name)
    (app / "lib/tool").chmod(0o755)
    layers = [{"kind": "files", "files": [{"to": "/app", "source": "app", "owner": "7:8"}]}]
    wanted = recipe(tmp_path / "recipe", layers=layers)
    first = build(store, wanted, silent)
    with tarfile.open(store.blob(store.manifest(first.digest)["layers"][-1]["digest"])) as archive:
        found = {member.name: (member.mode, member.uid, member.gid) for member in archive if member.isfile()}
    assert found == {"app/main.py": (0o644, 7, 8), "app/lib/tool": (0o755, 7, 8)}
    # each of these makes another image; byte code makes none
    for change in (
        lambda: (app / "lib/tool").write_text("changed"),
        lambda: (app / "lib/tool").chmod(0o644),
        lambda: (app / "new.py").touch(),
    ):
        before = Recipe(wanted.path, wanted.content).key
        (app / "__pycache__/main.pyc").write_text(before)
        assert Recipe(wanted.path, wanted.content).key == before
        change()
        assert Recipe(wanted.path, wanted.content).key != before


def test_refresh_makes_everything_again(tmp_path: Path, fetched: list[str]) -> None:
    store, wanted = Store(tmp_path / "store"), with_wheels(tmp_path / "recipe")
    first = build(store, wanted, silent)
    assert build(store, wanted, silent, refresh=True).digest == first.digest
    assert fetched == ["debian", "pypi", "debian", "pypi"]


def test_two_stores_get_the_same_image(tmp_path: Path, fetched: list[str]) -> None:
    wanted = with_wheels(tmp_path / "recipe")
    assert build(Store(tmp_path / "a"), wanted, silent).digest == build(Store(tmp_path / "b"), wanted, silent).digest


def test_a_lost_layer_is_made_again(tmp_path: Path, fetched: list[str]) -> None:
    store, wanted = Store(tmp_path / "store"), with_wheels(tmp_path / "recipe")
    first = build(store, wanted, silent)
    store.blob(store.manifest(first.digest)["layers"][1]["digest"]).unlink()
    assert build(store, wanted, silent).digest == first.digest
    assert store.has_image(first.digest)


def test_an_interrupted_build_leaves_no_scratch_and_can_be_run_again(
    tmp_path: Path, fetched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, wanted = Store(tmp_path / "store"), with_wheels(tmp_path / "recipe")

    def interrupted(layer: Any, beside: Path, work: Path, progress: Any) -> Any:
        (work / "half").write_text("half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(builder, "pypi_entries", interrupted)
        with pytest.raises(KeyboardInterrupt):
            build(store, wanted, silent)
    assert list((tmp_path / "store/work").iterdir()) == []
    assert store.image_of(wanted.key) is None
    assert store.has_image(build(store, wanted, silent).digest)


def test_scratch_of_a_killed_run_is_swept_and_that_of_a_running_one_is_not(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (tmp_path / "work/dead").mkdir(parents=True)
    (tmp_path / "work/dead.owner").touch()
    with store.workspace() as running:
        assert not (tmp_path / "work/dead").exists()
        with store.workspace():
            assert running.is_dir()


def _build_slowly(root: Path, path: Path, started: Any, calls: Any) -> None:
    from suite_deploy.images.recipe import load_recipe

    def slow(*arguments: Any) -> list[Any]:
        calls.put("pypi")
        time.sleep(0.3)
        return [text_file("app.py", b"")]

    patch = pytest.MonkeyPatch()
    patch.setattr(builder, "build_system", system)
    patch.setattr(builder, "pypi_entries", slow)
    started.wait()
    build(Store(root), load_recipe(path), silent)


def test_two_processes_build_an_image_once(tmp_path: Path) -> None:
    wanted = with_wheels(tmp_path / "recipe")
    context = multiprocessing.get_context("fork")
    started, calls = context.Event(), context.SimpleQueue()
    arguments = (tmp_path / "store", wanted.path, started, calls)
    processes = [context.Process(target=_build_slowly, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    started.set()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0]
    assert calls.get() == "pypi"
    assert calls.empty()
    assert Store(tmp_path / "store").image_of(wanted.key)


@pytest.mark.parametrize(
    ("layers", "present", "packages"),
    [
        ([WHEELS], {"mmdebstrap"}, []),
        ([WHEELS], set(), ["mmdebstrap"]),
        ([ARTIFACT], {"mmdebstrap", "mvn"}, []),
        ([ARTIFACT], {"mmdebstrap"}, ["maven"]),
        ([ARTIFACT | {"run": [{"command": ["x"], "tools": ["java"]}]}], {"mmdebstrap"}, ["maven"]),
        (
            [ARTIFACT | {"run": [{"command": ["x"], "tools": ["java"]}]}],
            {"mmdebstrap", "mvn"},
            ["default-jre-headless"],
        ),
    ],
)
def test_only_packages_that_are_missing_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layers: list[Any], present: set[str], packages: list[str]
) -> None:
    (tmp_path / "app.lock").touch()
    monkeypatch.setattr(builder, "DEBIAN_KEYRING", tmp_path / "app.lock")
    monkeypatch.setattr("shutil.which", lambda tool: tool if tool in present else None)
    assert required_packages(recipe(tmp_path, layers=layers)) == packages


def test_the_configuration_is_the_recipe_s(tmp_path: Path) -> None:
    wanted = recipe(
        tmp_path,
        config={
            "entrypoint": ["/a"],
            "cmd": ["b"],
            "env": {"X": "1"},
            "user": "5",
            "ports": ["80/tcp"],
            "workdir": "/w",
        },
    )
    config = image_config(wanted)
    assert config["Entrypoint"] == ["/a"] and config["Cmd"] == ["b"]
    assert config["User"] == "5" and config["WorkingDir"] == "/w" and config["ExposedPorts"] == {"80/tcp": {}}
    assert "X=1" in config["Env"] and any(line.startswith("PATH=") for line in config["Env"])
    assert config["Labels"]["org.suite-deploy.recipe"] == wanted.key


def test_accounts_are_added_to_those_of_the_system() -> None:
    accounts = [
        Account(name="app", uid=1000, gid=0, home="/opt/app"),
        Account(name="db", uid=70, gid=70, home="/srv/db"),
    ]
    passwd, group = (entry.read().read().decode() for entry in account_entries(accounts, ACCOUNTS) if entry.read)
    assert passwd.startswith(ACCOUNTS["passwd"]) and "app:x:1000:0::/opt/app:/usr/sbin/nologin\n" in passwd
    assert group == ACCOUNTS["group"] + "db:x:70:\n"


def test_an_artifact_that_is_not_the_recipe_s_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def downloaded(command: list[Any], **options: Any) -> None:
        target = Path(next(word.partition("=")[2] for word in command if word.startswith("-DoutputDirectory=")))
        target.mkdir()
        (target / "app-1.0.jar").write_bytes(b"something else")

    monkeypatch.setattr(fetch, "run", downloaded)
    with pytest.raises(CouldNotRun, match="Nothing was built"):
        fetch.maven_entries(MavenLayer.model_validate(ARTIFACT), tmp_path, silent)


@pytest.mark.parametrize(
    "written",
    [
        b"#!/opt/build/bin/python3.11\nimport app\n",
        b"#!/bin/sh\n'''exec' /opt/a/very/long/path/python3.11 \"$0\" \"$@\"\n' '''\nimport app\n",
    ],
)
def test_console_scripts_run_with_the_image_s_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bytes
) -> None:
    def installed(command: list[Any]) -> None:
        target = Path(command[command.index("--target") + 1])
        (target / "bin").mkdir(parents=True)
        (target / "bin/app").write_bytes(written)
        (target / "bin/app").chmod(0o755)
        (target / "bin/plain.sh").write_bytes(b"#!/bin/sh\ntrue\n")
        (target / "app-1.dist-info").mkdir()
        (target / "app-1.dist-info/RECORD").write_text("../../bin/app,sha256=x,1\napp.py,sha256=y,2\n")

    monkeypatch.setattr(fetch, "run", installed)
    content = with_wheels(tmp_path / "recipe").content.layers[0]
    work = tmp_path / "work"
    work.mkdir()
    assert isinstance(content, PypiLayer)
    found = {entry.name: entry for entry in fetch.pypi_entries(content, tmp_path, work, silent)}

    def read(name: str) -> bytes:
        opener = found[name].read
        assert opener is not None
        return opener().read()

    assert read("usr/local/bin/app") == b"#!/usr/bin/python3\nimport app\n"
    assert read("usr/local/bin/plain.sh") == b"#!/bin/sh\ntrue\n"
    assert found["usr/local/bin/app"].mode == 0o755
    assert read("usr/local/lib/python3.13/dist-packages/app-1.dist-info/RECORD") == b"app.py,sha256=y,2\n"


def test_a_record_names_the_image_it_was_written_for(tmp_path: Path, fetched: list[str]) -> None:
    store, wanted = Store(tmp_path / "store"), with_wheels(tmp_path / "recipe")
    built = build(store, wanted, silent)
    record = json.loads((tmp_path / "store/recipes" / f"{wanted.key}.json").read_text())
    assert record["reference"] == "registry.invalid/app:1"
    assert record["digest"] == built.digest
