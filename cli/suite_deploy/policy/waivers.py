# SPDX-License-Identifier: MIT
"""Exceptions with a reason, an owner and an end: `waivers.yml` in the inventory."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from ..errors import InvalidInput, Problem
from ..model.strict import Strict
from ..model.yamlfile import load_yaml
from .findings import Finding, Status

MAX_DAYS = 365
DEROGATION_MONTHS = 18
Text = Annotated[str, Field(min_length=3)]


class Derogation(Strict):
    """The State's own derogation record, without which some rules cannot be waived."""

    minister: Text
    prime_minister_validation: Text
    project_under_way: Literal[True]
    compliant_offer_available: date
    ends: date


class Waiver(Strict):
    """One exception: one rule, one exact target, until a day."""

    rule: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{1,15}-\d{3}$")]
    target: Text
    reason: Annotated[str, Field(min_length=10)]
    approver: Text
    ticket: Text
    created: date
    expires: date
    derogation: Derogation | None = None


@dataclass(frozen=True)
class WaiverUse:
    """A waiver as found, and what became of it."""

    #: how reports name it: `waivers[0]`
    name: str
    line: int
    file: str
    waiver: Waiver | None
    #: sentences saying what is wrong with the entry itself
    problems: tuple[str, ...] = ()
    used: int = 0


def read(path: Path, shown: str) -> tuple[WaiverUse, ...]:
    """The entries of a waivers file, broken ones included; nothing when there is no file.

    Raises InvalidInput when the file as a whole is no list of waivers.
    """
    if not path.exists():
        return ()
    loaded = load_yaml(path, shown_as=shown)
    data = loaded.data
    if not isinstance(data, Mapping) or data.get("schema") != 1 or set(data) - {"schema", "waivers"}:
        accepted = "Accepted: `schema: 1` and a list `waivers`."
        raise InvalidInput([Problem(shown, 0, "", "is no waivers file of schema 1.", accepted)])
    entries = [] if data.get("waivers") is None else data["waivers"]
    if not isinstance(entries, list):
        raise InvalidInput([Problem(shown, 0, "waivers", "is no list.")])
    return tuple(
        from_entry(entry, index, shown, loaded.place(("waivers", index)).line) for index, entry in enumerate(entries)
    )


def from_entry(entry: Any, index: int, file: str = "waivers.yml", line: int = 0) -> WaiverUse:
    """One entry, with what is missing or wrong in its shape said in sentences."""
    try:
        return WaiverUse(f"waivers[{index}]", line, file, Waiver.model_validate(entry))
    except ValidationError as error:
        said = tuple(
            f"{'.'.join(str(part) for part in item['loc']) or 'entry'}: {item['msg'].lower()}"
            for item in error.errors()
        )
        return WaiverUse(f"waivers[{index}]", line, file, None, said)


def faults(use: WaiverUse, on: date) -> list[str]:
    """Why an entry cannot be applied on a day, whatever it waives; empty when it can."""
    waiver = use.waiver
    if waiver is None:
        return list(use.problems)
    found = []
    if any(sign in waiver.target for sign in "*?[]") and not _is_index(waiver.target):
        found.append(f"target {waiver.target!r} has a wildcard; a waiver names one exact target")
    if waiver.created > on:
        found.append(f"created {waiver.created}, after the day judged ({on})")
    if waiver.expires < waiver.created:
        found.append(f"expires {waiver.expires}, before it was created")
    if (waiver.expires - waiver.created).days > MAX_DAYS:
        found.append(f"runs {(waiver.expires - waiver.created).days} days; at most {MAX_DAYS} are accepted")
    if waiver.expires < on:
        found.append(f"expired on {waiver.expires}")
    if waiver.rule.startswith(("WAI-", "EVI-")):
        found.append(f"{waiver.rule} cannot be waived")
    return found


def derogation_faults(waiver: Waiver, on: date) -> list[str]:
    """What is missing for a rule that only the State's derogation can waive."""
    record = waiver.derogation
    if record is None:
        return ["has no `derogation` record (minister, Prime Minister's validation, project under way, dates)"]
    found = []
    latest = add_months(record.compliant_offer_available, DEROGATION_MONTHS)
    if record.ends > latest:
        found.append(
            f"derogation ends {record.ends}; at most {latest}, {DEROGATION_MONTHS} months after a compliant offer "
            f"became available ({record.compliant_offer_available})"
        )
    if record.ends < on:
        found.append(f"derogation ended on {record.ends}")
    if waiver.expires > record.ends:
        found.append(f"expires {waiver.expires}, after the derogation's end {record.ends}")
    return found


def add_months(day: date, months: int) -> date:
    """The same day some months later, or the last day of a shorter month."""
    years, month = divmod(day.month - 1 + months, 12)
    for last in range(day.day, 27, -1):
        try:
            return date(day.year + years, month + 1, last)
        except ValueError:
            continue
    return date(day.year + years, month + 1, day.day)


def apply(
    findings: Sequence[Finding], waivers: Sequence[WaiverUse], on: date, derogation_only: frozenset[str]
) -> tuple[list[Finding], tuple[WaiverUse, ...]]:
    """Findings with waived ones marked, and the waivers with how often each was used.

    derogation_only: rules that in this profile need the State's derogation record. An error is never waived.
    """
    used = [0] * len(waivers)
    usable = {
        index: item.waiver
        for index, item in enumerate(waivers)
        if item.waiver
        and not faults(item, on)
        and (item.waiver.rule not in derogation_only or not derogation_faults(item.waiver, on))
    }
    result = []
    for finding in findings:
        match = next(
            (
                index
                for index, waiver in usable.items()
                if finding.status is Status.FAIL and (waiver.rule, waiver.target) == (finding.rule, finding.target)
            ),
            None,
        )
        if match is None:
            result.append(finding)
            continue
        used[match] += 1
        record = usable[match].model_dump(mode="json", exclude_none=True)
        result.append(replace(finding, status=Status.WAIVED, waiver=record))
    return result, tuple(replace(item, used=count) for item, count in zip(waivers, used, strict=True))


def _is_index(target: str) -> bool:
    """Whether brackets in a target only hold list indexes, as in `ssh.from[0]`."""
    rest = re.sub(r"\[\d+\]", "", target)
    return not any(sign in rest for sign in "*?[]")
