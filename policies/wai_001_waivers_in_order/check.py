# SPDX-License-Identifier: MIT
"""The waivers themselves."""

from collections.abc import Iterator

from suite_deploy.policy.rule import Outcome, Subject, clause, failed, not_applicable, passed
from suite_deploy.policy.waivers import faults


@clause("in_order", of_the_run=True)
def in_order(subject: Subject) -> Iterator[Outcome]:
    if not subject.run.waivers:
        yield not_applicable("waivers", "there are none")
    for item in subject.run.waivers:
        problems = faults(item, subject.on)
        if problems:
            what = f"{item.waiver.rule} on {item.waiver.target}: " if item.waiver else ""
            yield failed(item.name, f"{what}{'; '.join(problems)}.", place=(item.file, item.line))
        else:
            yield passed(item.name)


@clause("used", of_the_run=True)
def used(subject: Subject) -> Iterator[Outcome]:
    if not subject.run.waivers:
        yield not_applicable("waivers", "there are none")
    for item in subject.run.waivers:
        if (
            item.used
            or item.waiver is None
            or faults(item, subject.on)
            or item.waiver.rule in subject.run.derogation_only
        ):
            yield passed(item.name, f"used {item.used} times")
        else:
            yield failed(
                item.name,
                f"nothing fails {item.waiver.rule} at {item.waiver.target}; the waiver is not used.",
                place=(item.file, item.line),
            )
