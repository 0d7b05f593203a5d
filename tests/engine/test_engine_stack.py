# SPDX-License-Identifier: MIT
"""The runner under the real engine, where one is on PATH: plan, apply, nothing to do, drift, protection, removal.

The program's resources are files, made by a provider in Python: no plugin has to be fetched and no cloud is needed.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from suite_deploy.errors import CouldNotRun
from tests.checkout import ROOT

pytestmark = pytest.mark.skipif(shutil.which("pulumi") is None, reason="the engine (`pulumi`) is not on PATH")

PROVIDER = """
import pathlib
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider
from pulumi import dynamic


class Files(ResourceProvider):
    def create(self, props):
        pathlib.Path(props["path"]).write_text(props["text"])
        return CreateResult(props["path"], props)

    def read(self, id_, props):
        return ReadResult(id_ if pathlib.Path(id_).exists() else "", props)

    def diff(self, _id, old, new):
        return DiffResult(old != new, ["path"] if old["path"] != new["path"] else [], [], True)

    def update(self, id_, old, new):
        pathlib.Path(id_).write_text(new["text"])
        return dynamic.UpdateResult(new)

    def delete(self, id_, props):
        pathlib.Path(id_).unlink(missing_ok=True)


class File(dynamic.Resource, module="test", name="Volume"):
    def __init__(self, name, path, text, opts=None):
        super().__init__(Files(), name, {"path": path, "text": text}, opts)
"""
PROGRAM = """
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import pulumi
from files import File

config = pulumi.Config("suite")
folder = config.require("folder")
File("plain", folder + "/plain", config.get("text") or "first")
File("data", folder + "/data", "data", pulumi.ResourceOptions(protect=True))
pulumi.export("outputs", {"folder": folder})
pulumi.export("stack_secrets", pulumi.Output.secret({"a.bucket": "key-of-a-bucket"}))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    program = tmp_path / "program"
    program.mkdir()
    (program / "files.py").write_text(PROVIDER)
    (program / "__main__.py").write_text(PROGRAM)
    for name in ("state", "made"):
        (tmp_path / name).mkdir()
    return tmp_path


def stack(folder: Path, **config: str) -> Any:
    """The runner over the program; loaded here, where there is an engine."""
    from suite_deploy.cloud.engine import require_engine
    from suite_deploy.runners.process import clean_environment
    from suite_deploy.runners.pulumi import EngineStack, Project

    environment = {
        "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "a passphrase for tests",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_HOME": str(folder / "home"),
        "PYTHONPATH": os.pathsep.join([str(folder / "program"), str(ROOT / "cli")]),
    }
    project = Project(
        name="suite-test",
        stack="one",
        program=folder / "program",
        work=folder / "work",
        config={"suite:folder": str(folder / "made"), **{f"suite:{key}": value for key, value in config.items()}},
        environment=clean_environment(environment),
        interpreter=Path(sys.prefix),
        log=folder / "logs" / "engine.log",
    )
    return EngineStack(require_engine(), project, lambda text: text)


def actions(steps: list[Any]) -> dict[str, str]:
    return {step.name: step.action for step in steps}


def test_a_suite_is_planned_made_left_alone_repaired_and_removed(folder: Path) -> None:
    assert not stack(folder).exists()
    assert actions(stack(folder).preview()) == {"plain": "create", "data": "create"}
    assert not list((folder / "made").iterdir()), "a preview makes nothing"

    said: list[str] = []
    stack(folder).up(said.append)
    assert "creating plain" in said
    assert {path.name for path in (folder / "made").iterdir()} == {"plain", "data"}
    exports, secret = stack(folder).outputs()
    assert exports["stack_secrets"] == {"a.bucket": "key-of-a-bucket"} and secret == {"stack_secrets"}
    kept = "".join(path.read_text() for path in (folder / "state").rglob("*.json"))
    assert "key-of-a-bucket" not in kept, "secrets in the state are encrypted"

    assert set(actions(stack(folder).preview()).values()) == {"keep"}, "the second run changes nothing"
    (folder / "made" / "plain").unlink()
    assert actions(stack(folder).preview())["plain"] == "create", "what somebody removed is seen"
    stack(folder).up(said.append)
    assert (folder / "made" / "plain").exists()
    assert actions(stack(folder, text="second").preview())["plain"] == "change"

    left = stack(folder).destroy(said.append, with_data=False)
    assert {path.name for path in (folder / "made").iterdir()} == {"data"}
    assert [item["urn"].rpartition("::")[2] for item in left if item.get("protect")] == ["data"]
    stack(folder).up(said.append)
    assert {path.name for path in (folder / "made").iterdir()} == {"plain", "data"}
    assert stack(folder).destroy(said.append, with_data=True) == []
    assert not list((folder / "made").iterdir())
    assert not stack(folder).exists()


def test_another_passphrase_is_said(folder: Path) -> None:
    stack(folder).up(lambda text: None)
    other = stack(folder)
    environment = dict(other.project.environment) | {"PULUMI_CONFIG_PASSPHRASE": "another one"}
    object.__setattr__(other.project, "environment", environment)
    other._command._environment = environment
    with pytest.raises(CouldNotRun, match="another passphrase"):
        other.preview()


def test_settings_lost_with_a_machine_come_back_from_the_state(folder: Path) -> None:
    stack(folder).up(lambda text: None)
    shutil.rmtree(folder / "work")
    assert set(actions(stack(folder).preview()).values()) == {"keep"}
