# SPDX-License-Identifier: MIT
"""Dates as the register means them: whole days in Europe/Paris, the last day included."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..errors import CouldNotRun, InvalidInput, Problem

ZONE = "Europe/Paris"


def paris_day(moment: datetime | None = None) -> date:
    """The calendar day in Europe/Paris at `moment` (aware; now when absent).

    Raises CouldNotRun when this machine has no time zone data, ValueError for a moment without a zone.
    """
    moment = moment or datetime.now(UTC)
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    try:
        return moment.astimezone(ZoneInfo(ZONE)).date()
    except ZoneInfoNotFoundError as error:
        raise CouldNotRun(f"this machine knows no time zone {ZONE}. Install the package tzdata.") from error


def day_of(on: date | str | None) -> date:
    """The day to judge: given, or as YYYY-MM-DD, or today in Europe/Paris. Raises InvalidInput for other text."""
    if on is None:
        return paris_day()
    if isinstance(on, str):
        try:
            return date.fromisoformat(on)
        except ValueError as error:
            raise InvalidInput([Problem("--on", 0, "", f"{on!r} is no day.", "Accepted: YYYY-MM-DD.")]) from error
    return on


def in_force(since: date | None, until: date | None, on: date) -> bool:
    """Whether `on` lies in [since, until]: valid through the end of the last day. An unknown bound is not in force."""
    return since is not None and until is not None and since <= on <= until


def days_left(until: date, on: date) -> int:
    """Whole days after `on` that are still covered: 0 on the last day, negative afterwards."""
    return (until - on).days
