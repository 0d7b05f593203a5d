# SPDX-License-Identifier: MIT
"""Qualifications end at the end of their last day in Europe/Paris, and what that stops."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from suite_deploy.errors import InvalidInput
from suite_deploy.policy.clock import day_of, days_left, in_force, paris_day
from suite_deploy.policy.findings import Status

from .support import failing, find, subject, verdict

OUTSCALE_LAST = date(2026, 11, 30)


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 11, 29, 23, 0, tzinfo=UTC), date(2026, 11, 30)),
        (datetime(2026, 11, 30, 0, 0, tzinfo=UTC), date(2026, 11, 30)),
        (datetime(2026, 11, 30, 22, 59, 59, tzinfo=UTC), date(2026, 11, 30)),
        (datetime(2026, 11, 30, 23, 0, tzinfo=UTC), date(2026, 12, 1)),
        (datetime(2026, 12, 1, 0, 0, tzinfo=UTC), date(2026, 12, 1)),
        # summer time: two hours
        (datetime(2026, 7, 30, 22, 0, tzinfo=UTC), date(2026, 7, 31)),
    ],
)
def test_the_day_is_that_of_paris(moment: datetime, day: date) -> None:
    assert paris_day(moment) == day
    assert in_force(date(2023, 11, 30), OUTSCALE_LAST, paris_day(moment)) == (day <= OUTSCALE_LAST)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a time zone"):
        paris_day(datetime(2026, 11, 30))


def test_the_last_day_counts_and_unknown_bounds_do_not() -> None:
    assert in_force(date(2026, 1, 1), date(2026, 1, 1), date(2026, 1, 1))
    assert not in_force(None, date(2026, 1, 1), date(2026, 1, 1))
    assert not in_force(date(2026, 1, 1), None, date(2026, 1, 1))
    assert days_left(OUTSCALE_LAST, OUTSCALE_LAST) == 0


def test_text_that_is_no_day_is_refused() -> None:
    assert day_of("2026-12-01") == date(2026, 12, 1)
    with pytest.raises(InvalidInput, match="YYYY-MM-DD"):
        day_of("tomorrow")


def test_on_its_last_day_an_offer_is_accepted_and_warned_about() -> None:
    found = verdict(subject("outscale", on=OUTSCALE_LAST))
    assert not found.blocking
    assert "ends today" in find(found, "QUA-001").message


def test_the_day_after_creating_is_refused_and_converging_is_not() -> None:
    found = verdict(subject("outscale", on=date(2026, 12, 1)))
    assert failing(found, blocking=True) == {"QUA-002"}
    assert found.blocking
    assert not found.blocking_converge


def test_before_the_first_day_creating_is_refused_and_converging_is_not() -> None:
    found = verdict(subject(on=date(2026, 7, 30)))
    assert failing(found, blocking=True) == {"QUA-002"}
    assert not found.blocking_converge


def test_the_label_is_judged_by_status_and_only_the_dates_end() -> None:
    found = verdict(subject("outscale", on=date(2026, 12, 1)))
    label = [item for item in found.findings if (item.rule, item.clause) == ("REG-001", "label_held")]
    assert [item.status for item in label] == [Status.PASS]


def test_another_finding_on_that_day_stops_converging_too() -> None:
    found = verdict(subject("outscale", on=date(2026, 12, 1), suite={"ssh": None}))
    assert found.blocking_converge


def test_an_ended_offer_is_no_longer_said_to_be_qualified() -> None:
    assert verdict(subject("outscale", on=OUTSCALE_LAST)).evidence["hosting"]
    assert not verdict(subject("outscale", on=date(2026, 12, 1))).evidence["hosting"]


@pytest.mark.parametrize(
    ("day", "severity"),
    [(date(2026, 6, 3), "medium"), (date(2026, 9, 1), "high"), (date(2026, 10, 31), "critical")],
)
def test_the_warning_grows(day: date, severity: str) -> None:
    assert find(verdict(subject("outscale", on=day)), "QUA-001").severity == severity


def test_an_old_register_only_warns_unless_the_inventory_sets_a_limit() -> None:
    late = date(2028, 1, 1)
    assert "QUA-003" not in failing(verdict(subject(on=late)), blocking=True)
    limited = {"register": {"max_age": 90}}
    assert "QUA-003" in failing(verdict(subject(on=late, suite=limited)), blocking=True)
    assert "QUA-003" not in failing(verdict(subject("public", on=late, suite=limited)), blocking=True)


def test_infrastructure_digest_changes_with_infrastructure_only() -> None:
    before = verdict(subject()).infrastructure_digest
    assert verdict(subject(suite={"mail": None}, on=date(2027, 1, 1))).infrastructure_digest == before
    hosts = {"infrastructure": {"hosts": {"data-2": {"groups": ["data"]}}}}
    assert verdict(subject(suite=hosts)).infrastructure_digest != before
