# SPDX-License-Identifier: MIT
"""The entrypoint of the Synapse image: the upstream image's modes, variables and exit codes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from suite_deploy.paths import resource_root
from tests.checkout import module_at


class Replaced(Exception):
    """Stands in for the process that execvp would have become."""


@pytest.fixture
def entrypoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The module, run as an ordinary user with an empty /data."""
    module = module_at(resource_root() / "roles/synapse/image-start.py", "image_start")

    def become(program: str, command: list[str]) -> None:
        raise Replaced(program, command)

    monkeypatch.setattr(os, "execvp", become)
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    for name in ("UID", "GID", "SYNAPSE_WORKER", "SYNAPSE_CONFIG_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SYNAPSE_CONFIG_DIR", str(tmp_path))
    return module


def started(module: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> list[str]:
    monkeypatch.setattr(sys, "argv", ["/start.py", *arguments])
    with pytest.raises(Replaced) as caught:
        module.main()
    command: Any = caught.value.args[1]
    return list(command)


def test_run_is_the_default_and_finds_the_usual_configuration(
    entrypoint: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "homeserver.yaml").touch()
    wanted = [sys.executable, "-m", "synapse.app.homeserver", "--config-path", str(tmp_path / "homeserver.yaml")]
    assert started(entrypoint, monkeypatch) == wanted
    assert started(entrypoint, monkeypatch, "run") == wanted


def test_arguments_replace_configuration_and_module(entrypoint: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["-m", "synapse.app.generic_worker", "--config-path=/a", "--config-path=/b"]
    assert started(entrypoint, monkeypatch, "run", *given) == [sys.executable, *given]
    monkeypatch.setenv("SYNAPSE_WORKER", "synapse.app.generic_worker")
    assert started(entrypoint, monkeypatch, "run", "-c", "/a")[1:] == ["-m", "synapse.app.generic_worker", "-c", "/a"]


@pytest.mark.parametrize(
    ("uid", "variables", "prefix"),
    [
        (1000, {}, []),
        (0, {}, ["gosu", "991:991"]),
        (0, {"UID": "5"}, ["gosu", "5:991"]),
        (0, {"UID": "5", "GID": "6"}, ["gosu", "5:6"]),
    ],
)
def test_root_becomes_somebody_else(
    entrypoint: ModuleType, monkeypatch: pytest.MonkeyPatch, uid: int, variables: dict[str, str], prefix: list[str]
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: uid)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    command = started(entrypoint, monkeypatch, "run", "--config-path=/a")
    assert command == [*prefix, sys.executable, "-m", "synapse.app.homeserver", "--config-path=/a"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "does not exist"),
        (["migrate_config"], "Unknown execution mode"),
        (["generate"], "SYNAPSE_SERVER_NAME"),
    ],
)
def test_a_wrong_setting_ends_with_status_two(
    entrypoint: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.delenv("SYNAPSE_SERVER_NAME", raising=False)
    monkeypatch.setattr(sys, "argv", ["/start.py", *arguments])
    with pytest.raises(SystemExit) as caught:
        entrypoint.main()
    assert caught.value.code == 2
    assert said in capsys.readouterr().err
