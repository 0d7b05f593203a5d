# SPDX-License-Identifier: MIT
"""Warnings that grow as the end comes near."""

from collections.abc import Iterator

from suite_deploy.policy.clock import days_left
from suite_deploy.policy.rule import Outcome, Subject, clause, failed, not_applicable, passed
from suite_deploy.policy.sentences import label_name

KEY = "infrastructure.offer"
STEPS = ((30, "critical"), (90, "high"), (180, "medium"))


@clause("months_left")
def months_left(subject: Subject) -> Iterator[Outcome]:
    if not subject.labels or not subject.offer:
        yield not_applicable(KEY, "no label is asked for")
        return
    for label in subject.labels:
        row = subject.decision(label)
        if row is None or row.until is None:
            yield not_applicable(KEY, "the register has no end date (QUA-002)")
            continue
        left = days_left(row.until, subject.on)
        severity = next((word for days, word in STEPS if left <= days), None)
        if left < 0:
            yield not_applicable(KEY, "ended (QUA-002)")
        elif severity is None:
            yield passed(KEY, f"{left} days left, until {row.until}")
        else:
            when = "today" if left == 0 else f"in {left} day{'s' if left > 1 else ''}"
            yield failed(
                KEY,
                f"the {label_name(label)} of {subject.offer} ends {when}: valid through {row.until} (Europe/Paris).",
                "A renewal is never inferred: only a newer row of the register counts.",
                severity=severity,
            )
