# SPDX-License-Identifier: MIT
"""Where state is kept."""

from collections.abc import Iterator

from suite_deploy.policy.ambient import about_state
from suite_deploy.policy.rule import Outcome, Subject, clause, failed, not_applicable, passed
from suite_deploy.policy.stores import endpoint_problem, place_problem

STORE = "state.s3"


@clause("state_place")
def state_place(subject: Subject) -> Iterator[Outcome]:
    if not subject.get(STORE):
        yield passed("state", "a directory")
        return
    problem = endpoint_problem(subject, STORE)
    yield failed(f"{STORE}.endpoint", problem) if problem else passed(f"{STORE}.endpoint")
    problem = place_problem(subject, STORE)
    yield failed(STORE, problem) if problem else passed(STORE)


@clause("no_hosted_backend")
def no_hosted_backend(subject: Subject) -> Iterator[Outcome]:
    if not subject.is_cloud:
        yield not_applicable("environment", f"the driver {subject.driver} uses no engine")
        return
    said = False
    for source, value in about_state(subject.ambient, "backend", "token"):
        if source == "PULUMI_ACCESS_TOKEN":
            said = True
            yield failed(
                f"environment.{source}", "PULUMI_ACCESS_TOKEN is set, so the engine would sign in to a hosted service."
            )
        elif not value.startswith("file://") and not (value.startswith("s3://") and _bucket(subject, value)):
            said = True
            yield failed(
                f"environment.{source}", f"{source} leads to {value}; a directory or the declared bucket is required."
            )
    if not said:
        yield passed("environment", "nothing leads to a hosted backend")


def _bucket(subject: Subject, value: str) -> bool:
    return value.removeprefix("s3://").split("?")[0].split("/")[0] == subject.get(f"{STORE}.bucket")
