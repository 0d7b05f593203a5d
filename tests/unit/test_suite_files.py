# SPDX-License-Identifier: MIT
"""The module that installs rendered files: secrets, rights, strangers, and restarts that survive an interruption."""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from suite_deploy.paths import resource_root
from tests.checkout import module_at

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files of several owners need root")

SOURCE = resource_root() / "roles" / "app" / "library" / "suite_files.py"


def run(**arguments: Any) -> dict[str, Any]:
    """Run the module as Ansible would and return what it answers."""
    from ansible.module_utils import basic

    module = module_at(SOURCE)
    check = arguments.pop("check", False)
    content = {"ANSIBLE_MODULE_ARGS": arguments | {"_ansible_check_mode": check}}
    basic._ANSIBLE_ARGS = json.dumps(content).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    out = io.StringIO()
    with redirect_stdout(out), pytest.raises(SystemExit):
        module.main()
    return dict(json.loads(out.getvalue()))


def wanted(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    file = {
        "path": str(tmp_path / "own" / "app.env"),
        "content": "A=1\nB=@secret:app.key@\n",
        "mode": "0400",
        "owner": 0,
        "group": 0,
        "restarts": ["app.service"],
    }
    base: dict[str, Any] = {
        "files": [file | changes],
        "secrets": {"app.key": "s3cret-value"},
        "owned_directories": [str(tmp_path / "own")],
        "marks": str(tmp_path / "marks"),
    }
    (tmp_path / "marks").mkdir(exist_ok=True)
    return base


def mark(tmp_path: Path, answer: dict[str, Any]) -> None:
    for unit, digest in answer["digests"].items():
        (tmp_path / "marks" / unit).write_text(digest + "\n")


def test_secrets_are_filled_in_and_never_answered(tmp_path: Path) -> None:
    answer = run(**wanted(tmp_path))
    assert (tmp_path / "own" / "app.env").read_text() == "A=1\nB=s3cret-value\n"
    assert (tmp_path / "own" / "app.env").stat().st_mode & 0o777 == 0o400
    assert answer["changed"] and answer["restarts"] == ["app.service"]
    assert "s3cret-value" not in json.dumps(answer)


def test_the_second_run_changes_nothing_once_the_unit_was_restarted(tmp_path: Path) -> None:
    mark(tmp_path, run(**wanted(tmp_path)))
    answer = run(**wanted(tmp_path))
    assert not answer["changed"] and answer["restarts"] == []


def test_a_restart_owed_by_an_interrupted_run_is_still_owed(tmp_path: Path) -> None:
    run(**wanted(tmp_path))
    answer = run(**wanted(tmp_path))
    assert not answer["changed"] and answer["restarts"] == ["app.service"]


@pytest.mark.parametrize("damage", ["content", "mode", "owner", "gone", "symlink"])
def test_every_damage_is_repaired_and_restarts_the_unit(tmp_path: Path, damage: str) -> None:
    mark(tmp_path, run(**wanted(tmp_path)))
    path = tmp_path / "own" / "app.env"
    if damage == "content":
        path.chmod(0o600)
        path.write_text("A=2\n")
        path.chmod(0o400)
    elif damage == "mode":
        path.chmod(0o444)
    elif damage == "owner":
        os.chown(path, 1234, 0)
    else:
        path.unlink()
        if damage == "symlink":
            path.symlink_to("/etc/hostname")
    assert run(**wanted(tmp_path), check=True)["changed"]
    answer = run(**wanted(tmp_path))
    assert answer["changed"] and answer["restarts"] == ["app.service"]
    assert path.read_text() == "A=1\nB=s3cret-value\n" and not path.is_symlink()
    assert (path.stat().st_mode & 0o777, path.stat().st_uid) == (0o400, 0)


def test_another_secret_restarts_the_unit(tmp_path: Path) -> None:
    mark(tmp_path, run(**wanted(tmp_path)))
    answer = run(**(wanted(tmp_path) | {"secrets": {"app.key": "an-other-value"}}))
    assert answer["restarts"] == ["app.service"]


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    assert run(**wanted(tmp_path), check=True)["changed"]
    assert not (tmp_path / "own").exists()


def test_strangers_in_owned_places_are_removed_and_neighbours_are_not(tmp_path: Path) -> None:
    units = tmp_path / "units"
    units.mkdir()
    for name in ("app.network", "app-old.container", "app-copy.container", "apparel.container", "other-app.container"):
        (units / name).touch()
    run(**wanted(tmp_path))
    (tmp_path / "own" / "left-over").touch()
    pattern = str(units) + r"/app(-[a-z0-9-]+)?\.(container|network)"
    run(**(wanted(tmp_path) | {"owned_pattern": pattern, "others": [str(units / "app-copy.container")]}))
    left = sorted(path.name for path in units.iterdir())
    assert left == ["app-copy.container", "apparel.container", "other-app.container"]
    assert [path.name for path in (tmp_path / "own").iterdir()] == ["app.env"]


def test_a_missing_secret_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    answer = run(**(wanted(tmp_path) | {"secrets": {}}))
    assert answer["failed"] and "app.key" in answer["msg"]
    assert not (tmp_path / "own").exists()


def test_the_module_runs_on_the_python_of_the_hosts() -> None:
    assert sys.version_info >= (3, 11)
    assert "match " not in SOURCE.read_text()
