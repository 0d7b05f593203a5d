# SPDX-License-Identifier: MIT
"""Age of the register on the day judged."""

from collections.abc import Iterator

from suite_deploy.policy.rule import Outcome, Subject, clause, failed, not_applicable, passed

OLD, VERY_OLD = 45, 120
FILE, LIMIT = "register.file", "register.max_age"


@clause("age")
def age(subject: Subject) -> Iterator[Outcome]:
    days = subject.register.age(subject.on)
    if subject.is_local or not subject.offer:
        yield not_applicable(FILE, "nothing here is judged by the register")
    elif days > OLD:
        text = f"the register is of {subject.register.as_of}, {days} days before {subject.on}"
        yield failed(FILE, f"{text}; the catalogue appears every month.", severity="high" if days > VERY_OLD else "low")
    else:
        yield passed(FILE, f"{days} days old")


@clause("max_age")
def max_age(subject: Subject) -> Iterator[Outcome]:
    limit = subject.get(LIMIT)
    if limit is None:
        yield not_applicable(LIMIT, "the inventory sets no limit")
    elif subject.register.age(subject.on) > int(limit):
        days = subject.register.age(subject.on)
        yield failed(
            LIMIT, f"the register is {days} days old (of {subject.register.as_of}); at most {limit} are accepted."
        )
    else:
        yield passed(LIMIT)
