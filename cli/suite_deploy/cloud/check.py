# SPDX-License-Identifier: MIT
"""One thing that `doctor` looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..errors import InvalidInput, SuiteError

Status = Literal["ok", "missing", "wrong", "not needed", "not checked"]


@dataclass(frozen=True)
class Check:
    """One thing looked at. found: where it is and which version; never a secret. next_step: how to get it."""

    name: str
    status: Status
    found: str = ""
    next_step: str = ""

    @property
    def bad(self) -> bool:
        """Whether it stands in the way."""
        return self.status in ("missing", "wrong")


def refused(name: str, error: InvalidInput) -> Check:
    """What the inventory's own files have wrong: the first problem of an error."""
    problem = error.problems[0]
    where = f"{problem.file}: {problem.key}: " if problem.key else f"{problem.file}: "
    return Check(name, "wrong", f"{where}{problem.found}", f"{problem.accepted} {problem.next_step}".strip())


def wrong(title: str, error: SuiteError) -> Check:
    """What an error says: its first line is what was found, the others are what to do."""
    first, *rest = str(error).splitlines()
    return Check(title, "wrong", first, " ".join(line.strip() for line in rest))
