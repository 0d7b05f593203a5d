# SPDX-License-Identifier: MIT
"""Commands that look at a suite whose state is in a bucket, on a machine that did not make it; what to type next."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from suite_deploy import main, pipeline
from suite_deploy.drivers import driver_for
from suite_deploy.model.loader import load
from suite_deploy.model.outputs import OnCloud
from suite_deploy.report.console import Stages
from suite_deploy.secrets.ensure import open_store
from suite_deploy.settings import Settings
from tests.checkout import ROOT

from .cloud_support import OPENSTACK, Bench, bench, write_inventory

__all__ = ["bench"]


@pytest.fixture
def shared(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> str:
    """An inventory whose state another machine wrote into a bucket."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "account")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key-of-the-state")
    monkeypatch.delenv("ANSIBLE_VAULT_PASSWORD_FILE", raising=False)
    target = {"endpoint": "https://s3.example", "region": "r1", "bucket": "states"}
    bench.engine.script(bench.up_script())
    return str(write_inventory(bench.folder, OPENSTACK | {"state": {"s3": target}}))


def test_status_opens_the_shared_state_with_the_password_it_was_given(
    bench: Bench, shared: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["status", shared, "--format", "json", "--vault-password-file", str(bench.vault)]) == 3
    assert {unit["host"] for unit in json.loads(capsys.readouterr().out)["units"]} == {"one"}
    passphrase = open_store(bench.deployment, bench.vault)["suite.engine_passphrase"].reveal()
    assert bench.engine.call("stack", "output")["environment"]["PULUMI_CONFIG_PASSPHRASE"] == passphrase


def test_verify_finds_the_hosts_of_a_shared_state(bench: Bench, shared: str) -> None:
    session = pipeline.Session(load(shared), Settings(vault_password_file=bench.vault), Stages(quiet=True))
    outputs = pipeline.existing_outputs(session)
    assert outputs is not None and [host.name for host in outputs.hosts] == ["one"]


@pytest.mark.parametrize("command", ["status", "verify"])
def test_a_name_with_a_space_can_be_typed_as_it_is_said(
    bench: Bench, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    folder = Path(bench.deployment.directory).rename(bench.folder / "région île")
    assert main.main([command, str(folder)]) == 3
    said = capsys.readouterr()
    assert f"suite-deploy up {shlex.quote(str(folder))}" in f"{said.out}{said.err}"


def test_what_only_a_cloud_can_be_asked_is_known_without_loading_its_driver(bench: Bench) -> None:
    assert isinstance(bench.driver, OnCloud)
    assert not isinstance(driver_for(load(str(ROOT / "inventories" / "demo"))), OnCloud)
