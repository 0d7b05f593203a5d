# SPDX-License-Identifier: MIT
"""What a verification found: one finding per check, already without secrets."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["passed", "failed", "skipped"]
#: what the component that was looked at runs on, in words
IMAGES = {"registry": "the real image", "recipe": "an image of our recipe", "double": "A TEST DOUBLE"}

#: raised when a field of the JSON form changes its meaning or goes away
FORMAT = 1


@dataclass(frozen=True)
class Finding:
    """One check and how it ended.

    id: stable name, `<group>/<module>/<check>[<subject>]`. title: the fact that must hold, as a sentence.
    message: what was found (failed) or why it was not looked at (skipped). look_at: what to do next, one per line.
    journal: the tail of the units concerned, failed checks only. seconds: how long the check took.
    image: what the component looked at runs on, a key of IMAGES; empty when no single component was looked at.
    """

    id: str
    status: Status
    title: str
    message: str = ""
    look_at: tuple[str, ...] = ()
    journal: str = ""
    seconds: float = 0.0
    image: str = ""

    @property
    def on(self) -> str:
        """` (on …)`, to be put after the name of the check."""
        return f" (on {IMAGES[self.image]})" if self.image in IMAGES else ""

    @property
    def group(self) -> str:
        """`facts`, `journeys`, or the component whose own check it is."""
        return self.id.partition("/")[0]


@dataclass(frozen=True)
class VerifyResult:
    """Every finding of one run, in the order the checks ran. seconds: wall time of the whole run."""

    findings: tuple[Finding, ...]
    seconds: float

    def _with(self, status: Status) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.status == status)

    @property
    def failures(self) -> tuple[Finding, ...]:
        return self._with("failed")

    @property
    def passed(self) -> int:
        return len(self._with("passed"))

    @property
    def failed(self) -> int:
        return len(self.failures)

    @property
    def skipped(self) -> int:
        return len(self._with("skipped"))

    @property
    def on_doubles(self) -> int:
        """Checks that ran on something that only stands in for the real image: they prove our side alone."""
        return sum(finding.image == "double" and finding.status != "skipped" for finding in self.findings)

    @property
    def ok(self) -> bool:
        """Something was looked at, and all of it is as it must be. Nothing looked at is not fine."""
        return self.passed > 0 and self.failed == 0

    @property
    def summary(self) -> str:
        """One line: the counts and the time."""
        counts = f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"
        if self.on_doubles:
            counts += f"; {self.on_doubles} ON TEST DOUBLES"
        verdict = "" if self.passed or self.failed else "nothing was looked at: "
        return f"{verdict}{counts} in {self.seconds:.1f} s"

    def as_json(self) -> dict[str, Any]:
        """The documented, stable form."""
        return {
            "format": FORMAT,
            "ok": self.ok,
            "passed": self.passed,
            "failed": self.failed,
            "skipped": self.skipped,
            "on_doubles": self.on_doubles,
            "seconds": round(self.seconds, 3),
            "findings": [{**asdict(finding), "seconds": round(finding.seconds, 3)} for finding in self.findings],
        }

    def as_text(self, *, verbose: bool = False) -> str:
        """For people: what failed and what to look at, what was skipped and why, the counts last.

        verbose: also a line per check that passed.
        """
        lines: list[str] = []
        for finding in self.findings:
            if finding.status == "passed":
                lines += [f"  ok      {finding.id}{finding.on}"] if verbose else []
            elif finding.status == "skipped":
                lines.append(f"  skipped {finding.id}{finding.on}: {finding.message}")
            else:
                lines += _failure_lines(finding)
        return "\n".join([*lines, self.summary])


def _failure_lines(finding: Finding) -> list[str]:
    lines = [f"  FAILED  {finding.id}{finding.on}"]
    lines += [f"          {line}" for line in finding.message.splitlines()]
    lines += [f"          look at: {line}" for line in finding.look_at]
    lines += [f"          | {line}" for line in finding.journal.splitlines()]
    return lines
