# SPDX-License-Identifier: MIT
"""A stack program started by hand goes through `suite_deploy.load`, which judges before it returns anything."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

import suite_deploy
from suite_deploy.errors import FoundFailures, InvalidInput
from suite_deploy.policy import clock

from .support import REGISTER_DAY, copy_inventory


@pytest.fixture(autouse=True)
def registers_day(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The clock stands at the register's day; no settings of this machine are around."""
    freeze(monkeypatch, REGISTER_DAY)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("OS_CLOUD", "OS_REGION_NAME", "OS_AUTH_URL", "PULUMI_ACCESS_TOKEN", "PULUMI_BACKEND_URL"):
        monkeypatch.delenv(name, raising=False)


def freeze(monkeypatch: pytest.MonkeyPatch, day: date) -> None:
    moment = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    real = clock.paris_day
    monkeypatch.setattr(clock, "paris_day", lambda now=None: real(now or moment))


def test_an_accepted_inventory_is_loaded(tmp_path: Path) -> None:
    folder = copy_inventory("example-openstack-accepted", tmp_path)
    assert suite_deploy.load(str(folder)).suite.infrastructure.driver == "openstack"


def test_a_refused_one_is_not(tmp_path: Path) -> None:
    folder = copy_inventory("example-outscale-refused", tmp_path)
    with pytest.raises(FoundFailures, match="REG-001 mandatory"):
        suite_deploy.load(str(folder))


def test_an_ended_qualification_stops_a_raw_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy_inventory("example-outscale-accepted", tmp_path)
    freeze(monkeypatch, date(2026, 11, 30))
    suite_deploy.load(str(folder))
    freeze(monkeypatch, date(2026, 12, 1))
    with pytest.raises(FoundFailures, match="QUA-002"):
        suite_deploy.load(str(folder))


def test_the_environment_of_the_process_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy_inventory("example-openstack-accepted", tmp_path)
    monkeypatch.setenv("OS_REGION_NAME", "RegionOne")
    with pytest.raises(FoundFailures, match="REG-002"):
        suite_deploy.load(str(folder))


def test_a_clouds_file_in_the_stacks_folder_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy_inventory("example-openstack-accepted", tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clouds.yaml").write_text("clouds: {x: {auth: {auth_url: 'https://keystone.example.org/v3'}}}")
    with pytest.raises(FoundFailures, match="REG-003"):
        suite_deploy.load(str(folder))


def test_a_broken_inventory_is_said_to_be_broken(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        suite_deploy.load(str(tmp_path / "nothing"))
