# SPDX-License-Identifier: MIT
"""The derogation record."""

from collections.abc import Iterator

from suite_deploy.policy.rule import Outcome, Subject, clause, failed, not_applicable, passed
from suite_deploy.policy.waivers import derogation_faults


@clause("record_complete", of_the_run=True)
def record_complete(subject: Subject) -> Iterator[Outcome]:
    special = subject.run.derogation_only
    concerned = [(item, item.waiver) for item in subject.run.waivers if item.waiver and item.waiver.rule in special]
    if not concerned:
        yield not_applicable("waivers", "no waiver of a rule that only the State can derogate from")
    for item, waiver in concerned:
        problems = derogation_faults(waiver, subject.on)
        if not problems and not item.used:
            problems = [f"nothing fails at {waiver.target}; it is not used"]
        if problems:
            what = f"{waiver.rule} on {waiver.target}"
            yield failed(item.name, f"{what}: {'; '.join(problems)}.", place=(item.file, item.line))
        else:
            yield passed(item.name, f"derogation until {waiver.derogation.ends if waiver.derogation else '?'}")
