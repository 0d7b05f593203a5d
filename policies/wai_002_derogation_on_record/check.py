# SPDX-License-Identifier: MIT
"""The derogation record."""

from collections.abc import Iterator

from suite_deploy.policy.rule import Outcome, Subject, clause, failed, not_applicable, passed
from suite_deploy.policy.waivers import derogation_faults


@clause("record_complete", of_the_run=True)
def record_complete(subject: Subject) -> Iterator[Outcome]:
    special = subject.run.derogation_only
    concerned = [item for item in subject.run.waivers if item.waiver and item.waiver.rule in special]
    if not concerned:
        yield not_applicable("waivers", "no waiver of a rule that only the State can derogate from")
    for item in concerned:
        if item.waiver is None:
            continue
        problems = derogation_faults(item.waiver, subject.on)
        if problems:
            yield failed(
                item.name,
                f"{item.name} ({item.waiver.rule}): {'; '.join(problems)}.",
                f"In {item.file}, line {item.line}.",
            )
        elif not item.used:
            yield failed(
                item.name, f"{item.name}: nothing fails {item.waiver.rule} at {item.waiver.target}; it is not used."
            )
        else:
            yield passed(
                item.name, f"derogation until {item.waiver.derogation.ends if item.waiver.derogation else '?'}"
            )
