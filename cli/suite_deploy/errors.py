# SPDX-License-Identifier: MIT
"""What a user can cause: problems with a place, and the exit code each kind ends with.

Exit codes: 0 fine, 1 could not run, 2 usage or invalid input, 3 ran and found failures, 130 interrupted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

EXIT_OK = 0
EXIT_COULD_NOT_RUN = 1
EXIT_USAGE = 2
EXIT_FOUND_FAILURES = 3
EXIT_INTERRUPTED = 130


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong, said in the operator's words.

    file, line: where (line 0: the file as a whole). key: the dotted key the operator wrote.
    found: what stands there. accepted: what could stand there. next_step: what to do or read.
    """

    file: str
    line: int
    key: str
    found: str
    accepted: str = ""
    next_step: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        head = f"{place}: {self.key}: {self.found}" if self.key else f"{place}: {self.found}"
        return "\n".join([head, *(f"  {extra}" for extra in (self.accepted, self.next_step) if extra)])


class SuiteError(Exception):
    """An expected failure: printed without a traceback, ends the command with `exit_code`."""

    exit_code = EXIT_COULD_NOT_RUN


class CouldNotRun(SuiteError):
    """A tool, a host or a lock stood in the way (exit 1)."""


class InvalidInput(SuiteError):
    """What the operator wrote cannot be used; carries every problem found, not the first (exit 2)."""

    exit_code = EXIT_USAGE

    def __init__(self, problems: Iterable[Problem]):
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(_each_step_once(self.problems)))


def _each_step_once(problems: Sequence[Problem]) -> Iterator[str]:
    """The problems as text; one step for several that follow each other comes after the last of them."""
    for problem, following in zip_longest(problems, problems[1:]):
        shared = following and (following.file, following.next_step) == (problem.file, problem.next_step)
        yield str(replace(problem, next_step="") if shared else problem)


class FoundFailures(SuiteError):
    """The command ran and what it looked at is not as it must be (exit 3)."""

    exit_code = EXIT_FOUND_FAILURES
