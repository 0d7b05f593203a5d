# SPDX-License-Identifier: MIT
"""What the CLI renders, file by file, for inventories that differ in what matters. Deterministic.

Refresh after a change that is meant: REFRESH_GOLDEN=1 tests/run golden, then read the difference.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from suite_deploy.model.loader import load
from suite_deploy.render.inventory import PlainDumper
from suite_deploy.render.render import render
from suite_deploy.render.tree import RenderedTree

HERE = Path(__file__).parent
INVENTORIES = sorted(path.parent.name for path in HERE.glob("*/suite.yml"))


@pytest.fixture(autouse=True)
def state_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUITE_DEPLOY_STATE_ROOT", str(tmp_path))


def rendered(name: str) -> RenderedTree:
    deployment = load(str(HERE / name / "suite.yml"))
    images = {
        f"{image.name}:{image.tag}": f"registry.example.org/{image.name}@sha256:{'0' * 64}"
        for component in deployment.ordered
        for image in component.description.images.values()
    }
    return render(deployment, images=images)


def texts(name: str) -> dict[str, str]:
    tree = rendered(name)
    files = {
        item.build_path: f"# mode {item.mode} owner {item.owner}:{item.group}\n{item.content}" for item in tree.files
    }
    variables = {"all": dict(tree.all_vars), "hosts": {host: dict(values) for host, values in tree.host_vars.items()}}
    return files | {"variables.yml": yaml.dump(variables, Dumper=PlainDumper, sort_keys=True, width=120)}


@pytest.mark.parametrize("name", INVENTORIES)
def test_the_rendered_tree_is_the_golden_one(name: str) -> None:
    wanted, folder = texts(name), HERE / name / "tree"
    if os.environ.get("REFRESH_GOLDEN"):
        for path in sorted(folder.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        for path, text in wanted.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
    golden = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert sorted(golden) == sorted(wanted), "files appeared or went; refresh with REFRESH_GOLDEN=1 if that is meant"
    for path, text in sorted(wanted.items()):
        assert text == golden[path], f"{name}/tree/{path} differs; refresh with REFRESH_GOLDEN=1 if that is meant"


def test_there_are_golden_inventories() -> None:
    assert len(INVENTORIES) >= 2


@pytest.mark.parametrize("name", INVENTORIES)
def test_two_renderings_in_two_processes_are_the_same(name: str) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); "
        "import test_rendered_trees as t; print(t.rendered(sys.argv[2]).digest)"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code, str(HERE), name],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


@pytest.mark.parametrize("name", INVENTORIES)
def test_writing_twice_changes_nothing_and_removes_what_is_gone(name: str, tmp_path: Path) -> None:
    tree, target = rendered(name), tmp_path / "build"
    tree.write(target)
    stamps = {path: path.stat().st_mtime_ns for path in target.rglob("*") if path.is_file()}
    (target / "old-host" / "etc").mkdir(parents=True)
    (target / "old-host" / "etc" / "left-over").write_text("x")
    tree.write(target)
    assert {path: path.stat().st_mtime_ns for path in target.rglob("*") if path.is_file()} == stamps
    assert not (target / "old-host").exists()
    assert target.stat().st_mode & 0o777 == 0o700
