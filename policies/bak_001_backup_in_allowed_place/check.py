# SPDX-License-Identifier: MIT
"""Where backups go."""

from collections.abc import Iterator

from suite_deploy.policy.rule import Outcome, Subject, clause, failed, not_applicable, passed
from suite_deploy.policy.stores import endpoint_problem, place_problem

TARGET = "backup.target"


@clause("endpoint_known")
def endpoint_known(subject: Subject) -> Iterator[Outcome]:
    if not subject.get(TARGET):
        yield not_applicable("backup", "no remote backup is configured")
        return
    problem = endpoint_problem(subject, TARGET)
    yield failed(f"{TARGET}.endpoint", problem) if problem else passed(f"{TARGET}.endpoint")


@clause("place_allowed")
def place_allowed(subject: Subject) -> Iterator[Outcome]:
    if not subject.get(TARGET):
        yield not_applicable("backup", "no remote backup is configured")
        return
    problem = place_problem(subject, TARGET)
    yield failed(TARGET, problem) if problem else passed(TARGET)


@clause("encrypted_before_leaving")
def encrypted_before_leaving(subject: Subject) -> Iterator[Outcome]:
    key = "backup.encryption"
    written = subject.get(key)
    if not subject.get("backup"):
        yield not_applicable("backup", "no remote backup is configured")
    elif written is None:
        yield passed(key, "client-side, as nothing else is written")
    elif written == "client-side":
        yield passed(key)
    else:
        yield failed(
            key, f"{written!r} leaves the backup readable for whoever holds the bucket; `client-side` is required."
        )
