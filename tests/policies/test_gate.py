# SPDX-License-Identifier: MIT
"""The playbook run by hand is gated: it wants a verdict that is there, unaltered, recent and of these inputs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from suite_deploy.policy.gate import carried, refusal, seal
from tests.checkout import ROOT

from .support import subject, verdict

TODAY = datetime.now(UTC).date()
INPUTS = "a" * 64


def good(**changes: Any) -> dict[str, Any]:
    """A carried verdict of today, resealed after honest changes."""
    content = carried(verdict(subject()), inputs=INPUTS)
    content |= {"judged_on": TODAY.isoformat(), "good_until": (TODAY + timedelta(days=1)).isoformat(), **changes}
    return content | {"digest": seal(content)}


CARRIED: dict[str, tuple[dict[str, Any] | None, str | None]] = {
    "good": (good(), None),
    "absent": (None, "absent"),
    "empty": ({}, "altered"),
    "failed": (good(allowed=False), "failed"),
    "altered": ({**good(allowed=False), "allowed": True}, "altered"),
    "without_digest": ({key: value for key, value in good().items() if key != "digest"}, "altered"),
    "other_inputs": (good(inputs="b" * 64), "stale"),
    "yesterday": (good(good_until=(TODAY - timedelta(days=1)).isoformat()), "stale"),
    "date_prolonged": ({**good(good_until="2020-01-01"), "good_until": "2999-01-01"}, "altered"),
}


@pytest.mark.parametrize("name", CARRIED)
def test_what_is_refused_and_why(name: str) -> None:
    content, reason = CARRIED[name]
    assert refusal(content, inputs=INPUTS, today=TODAY) == reason


def test_a_refused_inventory_is_carried_as_not_allowed() -> None:
    found = carried(verdict(subject(suite={"ssh": None})), inputs=INPUTS)
    assert found["allowed"] is False
    assert refusal(found, inputs=INPUTS, today=date.fromisoformat(found["judged_on"])) == "failed"


def test_after_the_end_only_an_existing_unchanged_suite_is_allowed() -> None:
    ended = verdict(subject("outscale", on=date(2026, 12, 1)))
    assert carried(ended, inputs=INPUTS)["allowed"] is False
    assert carried(ended, inputs=INPUTS, existing=True)["allowed"] is True


def test_a_verdict_is_good_for_its_day_and_the_next() -> None:
    found = carried(verdict(subject()), inputs=INPUTS)
    day = date.fromisoformat(found["judged_on"])
    assert refusal(found, inputs=INPUTS, today=day + timedelta(days=1)) is None
    assert refusal(found, inputs=INPUTS, today=day + timedelta(days=2)) == "stale"


@pytest.mark.skipif(shutil.which("ansible-playbook") is None, reason="ansible-playbook is not on PATH")
def test_the_playbook_asserts_the_same(tmp_path: Path) -> None:
    """The gate's own play, run for every kind of verdict at once: one host each, nothing connected to."""
    (play, *_) = yaml.safe_load((ROOT / "roles/site.yml").read_text())
    assert play["tags"] == ["always"], "the gate must run whatever --tags says"
    assert play["hosts"] == "all"
    play.pop("any_errors_fatal")
    for task in play["tasks"]:
        task.pop("run_once", None)
    hosts = {
        name: {"suite_inputs": INPUTS, **({} if content is None else {"suite_verdict": content})}
        for name, (content, _) in CARRIED.items()
    }
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    (tmp_path / "gate.yml").write_text(yaml.safe_dump([play]))
    (tmp_path / "ansible.cfg").touch()
    variables = os.environ | {
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_HOME": str(tmp_path),
        "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
    }
    done = subprocess.run(
        ["ansible-playbook", "-i", str(tmp_path / "inventory.yml"), str(tmp_path / "gate.yml")],
        env=variables,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    stats = json.loads(done.stdout[done.stdout.index("{") :])["stats"]
    refused = {name for name, counts in stats.items() if counts["failures"] or counts["unreachable"]}
    assert refused == {name for name, (_, reason) in CARRIED.items() if reason}, done.stdout + done.stderr
