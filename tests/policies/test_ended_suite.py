# SPDX-License-Identifier: MIT
"""After the end of a qualification: what exists goes on being maintained and looked at, nothing new is made."""

from __future__ import annotations

import inspect
import json
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest

from suite_deploy import pipeline
from suite_deploy.commands import destroy, status, verify
from suite_deploy.model.deployment import Deployment
from suite_deploy.policy.findings import Verdict

from .support import deployment, judge

AFTER = date(2026, 12, 1)


@pytest.fixture
def ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    monkeypatch.setenv("SUITE_DEPLOY_STATE_ROOT", str(tmp_path))
    return deployment("example-outscale-accepted")


def record(given: Deployment, verdict: Verdict) -> None:
    """What a successful `up` leaves behind."""
    given.state_dir.mkdir(parents=True, exist_ok=True)
    (given.state_dir / pipeline.RUN_RECORD).write_text(
        json.dumps({"infrastructure_digest": verdict.infrastructure_digest})
    )


def test_a_first_up_is_refused(ended: Deployment) -> None:
    allowed, _ = pipeline.allows(judge(ended, on=AFTER), ended)
    assert not allowed


def test_an_existing_unchanged_suite_converges_and_its_infrastructure_is_left_alone(ended: Deployment) -> None:
    record(ended, judge(ended))
    assert pipeline.allows(judge(ended, on=AFTER), ended) == (True, True)


def test_a_changed_infrastructure_is_refused(ended: Deployment) -> None:
    record(ended, judge(ended))
    hosts = {"app-1": {"flavor": "tinav6.c16r64p2", "groups": ["edge", "apps"]}, "data-1": {"groups": ["data"]}}
    changed = deployment("example-outscale-accepted", **{"infrastructure.hosts": hosts})
    allowed, _ = pipeline.allows(judge(changed, on=AFTER), changed)
    assert not allowed


def test_another_blocking_finding_stops_an_existing_suite_too(ended: Deployment) -> None:
    record(ended, judge(ended))
    changed = deployment("example-outscale-accepted", **{"ssh.from": ["0.0.0.0/0"]})
    allowed, _ = pipeline.allows(judge(changed, on=AFTER), changed)
    assert not allowed


def test_until_the_end_nothing_is_frozen(ended: Deployment) -> None:
    assert pipeline.allows(judge(ended, on=date(2026, 11, 30)), ended) == (True, False)


@pytest.mark.parametrize("command", [status, verify, destroy], ids=["status", "verify", "destroy"])
def test_looking_and_removing_ask_no_verdict(command: ModuleType) -> None:
    source = inspect.getsource(command)
    assert "judge" not in source
    assert "policy" not in source.replace("policies", "")
