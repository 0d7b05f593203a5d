# SPDX-License-Identifier: MIT
"""Who and what, and what follows in law."""

from collections.abc import Iterator

from suite_deploy.policy.rule import Outcome, Subject, clause, failed, not_applicable, passed
from suite_deploy.policy.sentences import label_name

ENTITY, SENSITIVITY = "data.entity", "data.sensitivity"


@clause("entity_declared")
def entity_declared(subject: Subject) -> Iterator[Outcome]:
    yield from _declared(subject, ENTITY, "who is served (state, state-operator, gip, commune …)")


@clause("sensitivity_declared")
def sensitivity_declared(subject: Subject) -> Iterator[Outcome]:
    yield from _declared(subject, SENSITIVITY, "which data it holds (particular, ordinary, health)")


@clause("duty_stated")
def duty_stated(subject: Subject) -> Iterator[Outcome]:
    if not subject.profile.asks_audience:
        yield not_applicable("data", f"profile {subject.profile.name} does not judge by it")
        return
    if not (subject.get(ENTITY) and subject.get(SENSITIVITY)):
        yield failed(
            "data", "cannot say whether the law asks for a label: entity and sensitivity are not both written."
        )
        return
    who = f"{subject.get(ENTITY)} with {subject.get(SENSITIVITY)} data"
    for duty in subject.duties:
        if duty.label in subject.profile.labels:
            text = f"{who}: {label_name(duty.label)} required by {duty.reference}"
            yield passed("data", f"{text} (since {duty.since}, confidence {duty.confidence})")
    for label, reference in subject.labels_not_asked:
        yield passed("data", f"{who}: {label_name(label)} not required ({reference} do not reach it on {subject.on})")


def _declared(subject: Subject, key: str, what: str) -> Iterator[Outcome]:
    if not subject.profile.asks_audience:
        yield not_applicable(key, f"profile {subject.profile.name} does not judge by it")
    elif subject.get(key):
        yield passed(key, str(subject.get(key)))
    else:
        yield failed(key, f"is not written: profile {subject.profile.name} judges by {what}.")
