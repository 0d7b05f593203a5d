# SPDX-License-Identifier: MIT
"""Dates, the last day included."""

from collections.abc import Iterator

from suite_deploy.policy.clock import in_force
from suite_deploy.policy.rule import (
    Blocks,
    Outcome,
    Resource,
    Subject,
    clause,
    failed,
    not_applicable,
    passed,
    resource_clause,
)
from suite_deploy.policy.sentences import label_name, places_qualified

KEY = "infrastructure.offer"


@clause("dates_in_force")
def dates_in_force(subject: Subject) -> Iterator[Outcome]:
    if not subject.labels or not subject.offer:
        yield not_applicable(KEY, "no label is asked for")
        return
    for label in subject.labels:
        row = subject.decision(label)
        if row is None or row.status != "qualified":
            yield not_applicable(KEY, "no label is held (REG-001)")
        elif row.since is None or row.until is None:
            yield failed(KEY, f"the register has no dates for {subject.offer}.", blocks=Blocks.CREATE)
        elif in_force(row.since, row.until, subject.on):
            yield passed(KEY, f"decision {row.decision}, {row.since} to {row.until}")
        elif subject.on < row.since:
            yield failed(
                KEY,
                f"the {label_name(label)} of {subject.offer} starts on {row.since}, after {subject.on}.",
                blocks=Blocks.CREATE,
            )
        else:
            ended = f"decision {row.decision} was valid through {row.until} (Europe/Paris)"
            yield failed(
                KEY,
                f"the {label_name(label)} of {subject.offer} ended: {ended}, the day judged is {subject.on}.",
                "Creating and replacing is refused. An existing, unchanged suite still converges.",
                places_qualified(subject, label),
                blocks=Blocks.CREATE,
            )


@resource_clause(
    "nothing_new_after_the_end", "pulumi:pulumi:Stack", "pulumi:providers:openstack", "pulumi:providers:ovh"
)
def nothing_new_after_the_end(resource: Resource, subject: Subject) -> str | None:
    for label in subject.labels:
        row = subject.decision(label)
        if row and row.status == "qualified" and not in_force(row.since, row.until, subject.on):
            name = f"the {label_name(label)} of {subject.offer} ({row.since} to {row.until})"
            return f"{name} is not in force on {subject.on}."
    return None
