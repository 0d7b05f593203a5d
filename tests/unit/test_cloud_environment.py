# SPDX-License-Identifier: MIT
"""The program inside the engine judges what the command judged, whichever files the tools of the clouds keep."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from suite_deploy.cloud import asking
from suite_deploy.cloud.driver import CloudDriver
from suite_deploy.cloud.room import Room
from suite_deploy.model.loader import load
from suite_deploy.paths import resource_root
from suite_deploy.policy import collect_ambient, judge
from suite_deploy.render.render import render

from .cloud_support import OPENSTACK, Bench, bench, write_inventory

__all__ = ["bench"]
AUTH = {"auth_url": "https://ops.elastx.cloud:5000/v3", "username": "ops", "password": "p", "project_name": "p"}
FITS: dict[str, Any] = {"auth": AUTH, "region_name": "se-sto"}
ELSEWHERE: dict[str, Any] = {"auth": {**AUTH, "auth_url": "https://keystone.elsewhere.example/v3"}, "region_name": "x"}
OUTSCALE = {
    "driver": "outscale",
    "offer": "outscale/public-cloud",
    "region": "eu-west-2",
    "image": {"id": "ami-0a1b2c3d"},
    "volumes": {"encrypted": True},
    "hosts": {
        "one": {"groups": ["edge", "apps", "data"], "flavor": "tinav6.c2r4p2", "volumes": {"postgresql": "10GiB"}}
    },
}
LOAD = "import os, suite_deploy; suite_deploy.load(os.environ['SUITE_DEPLOY_INVENTORY'])"


def clouds_yaml(path: Path, **entries: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"clouds": entries}))


def chosen_profile(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"access_key": "AK", "secret_key": "SK"}
    profiles = {"default": {**keys, "region": "cloudgouv-eu-west-1"}, "work": {**keys, "region": "eu-west-2"}}
    (home / ".osc").mkdir()
    (home / ".osc" / "config.json").write_text(json.dumps(profiles))
    monkeypatch.setenv("OSC_PROFILE", "work")


def other_profile_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen_profile(home, monkeypatch)
    monkeypatch.delenv("OSC_PROFILE")
    own = home / "own.json"
    own.write_text(json.dumps({"default": {"access_key": "AK", "secret_key": "SK", "region": "eu-west-2"}}))
    monkeypatch.setenv("OSC_CONFIG_FILE", str(own))


def named_clouds_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clouds_yaml(home / ".config" / "openstack" / "clouds.yaml", other=ELSEWHERE)
    clouds_yaml(home / "mine.yaml", prod=FITS, other=ELSEWHERE)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(home / "mine.yaml"))
    monkeypatch.setenv("OS_CLOUD", "prod")


def clouds_file_in_the_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clouds_yaml(home / ".config" / "openstack" / "clouds.yaml", other=ELSEWHERE)
    clouds_yaml(home / "folder" / "clouds.yaml", prod=FITS)
    monkeypatch.chdir(home / "folder")


def chosen_aws_profile(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text("[default]\nregion = us-east-1\n[profile own]\nregion = se-sto\n")
    monkeypatch.setenv("AWS_PROFILE", "own")


@pytest.mark.parametrize(
    ("driver", "files"),
    [
        ("outscale", chosen_profile),
        ("outscale", other_profile_file),
        ("openstack", named_clouds_file),
        ("openstack", clouds_file_in_the_folder),
        ("openstack", chosen_aws_profile),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_what_the_command_accepts_the_program_accepts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, driver: str, files: Any
) -> None:
    infrastructure = OUTSCALE if driver == "outscale" else OPENSTACK["infrastructure"]
    inventory = write_inventory(bench.folder, OPENSTACK | {"infrastructure": infrastructure})
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    files(bench.folder / "home", monkeypatch)
    monkeypatch.setattr(asking, "ask", lambda deployment, credentials: Room())
    deployment = load(str(inventory))
    verdict = judge(deployment, render(deployment), ambient=collect_ambient(os.environ, Path.home()))
    assert not verdict.blocking, [item.message for item in verdict.findings if item.is_blocking]
    bench.engine.script(bench.up_script())
    CloudDriver(deployment, bench.vault).preview()
    known = bench.engine.call("preview")["environment"]
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        env=known,
        cwd=resource_root() / "stacks" / driver,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
