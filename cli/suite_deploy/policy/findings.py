# SPDX-License-Identifier: MIT
"""What rules say, and what a whole judgement comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum, auto
from typing import Any


class Status(StrEnum):
    """The outcome of one clause on one target."""

    PASS = auto()
    FAIL = auto()
    ERROR = auto()
    NOT_APPLICABLE = auto()
    WAIVED = auto()


class Level(StrEnum):
    """What a failure of a rule means in a profile."""

    MANDATORY = "mandatory"
    ADVISORY = "advisory"
    OFF = "off"

    @property
    def rank(self) -> int:
        """Strictness, to compare levels: off < advisory < mandatory."""
        return ("off", "advisory", "mandatory").index(self.value)


class Blocks(StrEnum):
    """Which actions a mandatory failure stops."""

    #: creating and replacing; an existing suite with unchanged infrastructure still converges
    CREATE = "create"
    #: everything that changes something
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a clause yields. `target` is exact: a dotted key, `image:…`, `file:…#key` or a resource's URN."""

    status: Status
    target: str
    message: str = ""
    details: tuple[str, ...] = ()
    blocks: Blocks = Blocks.ALWAYS
    severity: str | None = None
    #: (file, line) where it was written, for targets that are no key of suite.yml
    place: tuple[str, int] | None = None


def passed(target: str, message: str = "") -> Outcome:
    """The clause holds for `target`."""
    return Outcome(Status.PASS, target, message)


def failed(
    target: str,
    message: str,
    *details: str,
    blocks: Blocks = Blocks.ALWAYS,
    severity: str | None = None,
    place: tuple[str, int] | None = None,
) -> Outcome:
    """The clause is broken: `message` names what was found and what is required, `details` add lines."""
    return Outcome(Status.FAIL, target, message, tuple(line for line in details if line), blocks, severity, place)


def not_applicable(target: str, reason: str) -> Outcome:
    """The clause has nothing to judge at `target`; `reason` says why, and is shown."""
    return Outcome(Status.NOT_APPLICABLE, target, reason)


@dataclass(frozen=True, slots=True)
class Finding:
    """One outcome with everything a report needs. `line` 0: the file as a whole."""

    rule: str
    clause: str
    status: Status
    level: Level
    severity: str
    target: str
    message: str
    details: tuple[str, ...] = ()
    remediation: str = ""
    blocks: Blocks = Blocks.ALWAYS
    file: str = ""
    line: int = 0
    waiver: Mapping[str, Any] | None = None

    @property
    def is_blocking(self) -> bool:
        """Whether this finding alone stops a first `up`. A rule that could not judge stops it at every level."""
        return self.status is Status.ERROR or (self.status is Status.FAIL and self.level is Level.MANDATORY)

    @property
    def stops_converging(self) -> bool:
        """Whether it also stops `up` on an existing suite whose infrastructure inputs did not change."""
        return self.is_blocking and self.blocks is Blocks.ALWAYS

    @property
    def documentation(self) -> str:
        """Where the rule is explained, in the product's folder; `suite-deploy policy explain` says it anywhere."""
        return f"docs/policies/{self.rule}.md"


@dataclass(frozen=True)
class Verdict:
    """The judgement of one deployment on one day."""

    suite: str
    profile: str
    on: date
    findings: tuple[Finding, ...]
    digest: str
    #: facts for reports: title, as_of, age in days, digest, origin
    register: Mapping[str, Any]
    evidence: Mapping[str, Any] = field(repr=False)
    #: hash of what decides about infrastructure; equal to the recorded one = nothing to create or replace
    infrastructure_digest: str = ""
    #: how the operator named the inventory, for next steps to type; no part of the evidence
    inventory: str = "NAME"
    #: things to say that are no finding: a label that the law does not ask for, a provisional profile
    notes: tuple[str, ...] = ()

    @property
    def blocking(self) -> bool:
        """Nothing may be created: exit 3."""
        return any(finding.is_blocking for finding in self.findings)

    @property
    def blocking_converge(self) -> bool:
        """Even converging an existing, unchanged infrastructure is refused."""
        return any(finding.stops_converging for finding in self.findings)

    @property
    def counts(self) -> dict[str, int]:
        """Number of findings per status, every status named."""
        found = Counter(finding.status.value for finding in self.findings)
        return {status.value: found.get(status.value, 0) for status in Status}
