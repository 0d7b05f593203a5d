# SPDX-License-Identifier: MIT
"""Exceptions: exact, owned, ended, used and visible."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from suite_deploy.errors import InvalidInput
from suite_deploy.policy import profiles, ruleset
from suite_deploy.policy.findings import Status
from suite_deploy.policy.waivers import WaiverUse, add_months, from_entry, read
from suite_deploy.report.findings import render

from .support import failing, find, one_rule, raises, subject, verdict, with_status

WAIVER = {
    "rule": "NET-001",
    "target": "ssh.from",
    "reason": "being moved behind a bastion",
    "approver": "CISO of region-x",
    "ticket": "SEC-42",
    "created": date(2026, 9, 1),
    "expires": date(2026, 12, 1),
}
RECORD = {
    "minister": "Interior",
    "prime_minister_validation": "PM-2026-17",
    "project_under_way": True,
    "compliant_offer_available": date(2026, 7, 31),
    "ends": date(2028, 1, 31),
}
OPEN_SSH = {"ssh": None}
PUBLIC_CLOUD = {"infrastructure": {"offer": "ovhcloud/public-cloud", "region": "GRA11"}}


def waiver(**changes: Any) -> tuple[WaiverUse, ...]:
    return (from_entry(WAIVER | changes, 0),)


def test_a_waived_finding_no_longer_blocks_and_stays_visible_everywhere() -> None:
    found = verdict(subject(suite=OPEN_SSH), waiver())
    assert not found.blocking
    assert find(found, "NET-001").status is Status.WAIVED
    for kind in ("text", "json", "junit"):
        said = render(found, kind)
        assert "being moved behind a bastion" in said, kind
        assert "SSH would answer everyone" in said, kind
    assert found.evidence["waivers"][0]["used"] == 1
    assert [item["waiver"]["ticket"] for item in found.evidence["results"] if item["waiver"]] == ["SEC-42"]


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"expires": date(2026, 9, 14)}, {"NET-001", "WAI-001"}),
        ({"expires": date(2027, 9, 2)}, {"NET-001", "WAI-001"}),
        ({"created": date(2026, 9, 16)}, {"NET-001", "WAI-001"}),
        ({"target": "*"}, {"NET-001", "WAI-001"}),
        ({"target": "ssh.fro?"}, {"NET-001", "WAI-001"}),
        ({"target": "ssh"}, {"NET-001", "WAI-001"}),
        ({"rule": "NET-002"}, {"NET-001", "WAI-001"}),
        ({"approver": None}, {"NET-001", "WAI-001"}),
        ({"reason": "no"}, {"NET-001", "WAI-001"}),
        ({"surprise": 1}, {"NET-001", "WAI-001"}),
    ],
)
def test_a_waiver_that_is_not_in_order_waives_nothing(changes: dict[str, Any], rules: set[str]) -> None:
    assert failing(verdict(subject(suite=OPEN_SSH), waiver(**changes)), blocking=True) == rules


def test_365_days_are_accepted() -> None:
    assert not verdict(subject(suite=OPEN_SSH), waiver(expires=date(2027, 9, 1))).blocking


def test_an_unused_waiver_fails_in_every_profile() -> None:
    for name in profiles.names():
        found = verdict(subject(suite={"profile": name}), waiver())
        assert "WAI-001" in failing(found, blocking=True), name


def test_waivers_of_rules_about_waivers_are_refused() -> None:
    found = verdict(
        subject(suite=OPEN_SSH), (*waiver(expires=date(2026, 9, 2)), *waiver(rule="WAI-001", target="waivers[0]"))
    )
    assert failing(found, blocking=True) == {"NET-001", "WAI-001"}


def test_a_place_is_waived_for_the_state_with_the_derogation_record_only() -> None:
    base = subject(
        suite=PUBLIC_CLOUD
        | {"infrastructure": PUBLIC_CLOUD["infrastructure"] | {"auth_url": "https://auth.cloud.ovh.net/v3"}}
    )
    plain = waiver(rule="REG-001", target="infrastructure.offer")
    assert failing(verdict(base, plain), blocking=True) == {"REG-001", "WAI-002"}
    with_record = waiver(rule="REG-001", target="infrastructure.offer", derogation=RECORD)
    assert failing(verdict(base, with_record), blocking=True) == set()


@pytest.mark.parametrize(
    "changes",
    [
        {"ends": date(2028, 2, 1)},
        {"ends": date(2026, 11, 30)},
        {"project_under_way": False},
        {"minister": ""},
        {"prime_minister_validation": None},
    ],
)
def test_an_incomplete_derogation_waives_nothing(changes: dict[str, Any]) -> None:
    given = waiver(rule="REG-001", target="infrastructure.offer", derogation=RECORD | changes)
    found = verdict(subject(suite=PUBLIC_CLOUD), given)
    assert "REG-001" in failing(found, blocking=True)
    assert {"WAI-001", "WAI-002"} & failing(found, blocking=True)


def test_outside_fr_snc_a_place_is_waived_like_anything_else() -> None:
    base = subject("public", suite={"infrastructure": {"region": "UK1"}})
    given = waiver(rule="REG-008", target="infrastructure.region")
    assert not verdict(base, given).blocking


def test_eighteen_months_end_on_the_same_day_or_the_last_of_a_shorter_month() -> None:
    assert add_months(date(2026, 7, 31), 18) == date(2028, 1, 31)
    assert add_months(date(2026, 8, 31), 18) == date(2028, 2, 29)
    assert add_months(date(2027, 8, 30), 18) == date(2029, 2, 28)
    assert add_months(date(2026, 1, 5), 18) == date(2027, 7, 5)


def test_an_error_is_never_waived() -> None:
    rules = one_rule(raises)
    from suite_deploy.policy.judging import verdict_of

    found = verdict_of(subject(), rules, waiver(target="rule"))
    assert with_status(found, Status.ERROR)
    assert not with_status(found, Status.WAIVED)


def test_a_file_of_waivers_keeps_lines_and_reads_yaml_dates(tmp_path: Path) -> None:
    path = tmp_path / "waivers.yml"
    lines = "\n".join(f"    {key}: {value}" for key, value in WAIVER.items())
    path.write_text("schema: 1\nwaivers:\n  -\n" + lines + "\n")
    (found,) = read(path, "waivers.yml")
    assert found.waiver is not None and found.waiver.expires == date(2026, 12, 1)
    assert found.line in (3, 4)


@pytest.mark.parametrize("content", ["[]", "schema: 2\nwaivers: []", "schema: 1\nwaiver: []", "schema: 1\nwaivers: {}"])
def test_a_file_that_is_no_list_of_waivers_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "waivers.yml"
    path.write_text(content)
    with pytest.raises(InvalidInput):
        read(path, "waivers.yml")


def test_without_a_file_there_are_no_waivers(tmp_path: Path) -> None:
    assert read(tmp_path / "waivers.yml", "waivers.yml") == ()


def test_the_rules_that_need_the_derogation_are_the_two_about_place() -> None:
    special = {rule.id for rule in ruleset.load().rules if "fr-snc" in rule.metadata.derogation_only}
    assert special == {"REG-001", "REG-008"}
