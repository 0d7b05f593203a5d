# SPDX-License-Identifier: MIT
"""Where things are."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite_deploy import paths
from tests.checkout import ROOT


@pytest.fixture(autouse=True)
def no_override(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUITE_DEPLOY_STATE_ROOT", raising=False)


def test_resources_of_a_checkout_are_the_checkout() -> None:
    assert paths.resource_root() == ROOT


def test_stacks_are_imported_from_the_resources() -> None:
    assert Path(paths.share_import("stacks").__file__ or "").parent == ROOT / "stacks"


def test_local_state_is_the_machines_and_any_other_the_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/xdg")
    assert paths.state_dir("demo", "local") == Path("/var/lib/suite-deploy/demo")
    assert paths.state_dir("demo", "openstack") == Path("/xdg/suite-deploy/demo")


def test_a_relative_xdg_directory_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/someone")
    assert paths.state_dir("demo", "existing") == Path("/home/someone/.local/state/suite-deploy/demo")


def test_tests_may_move_all_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SUITE_DEPLOY_STATE_ROOT", str(tmp_path))
    assert paths.state_dir("demo", "local") == tmp_path / "demo"
