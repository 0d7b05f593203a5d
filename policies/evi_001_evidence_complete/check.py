# SPDX-License-Identifier: MIT
"""What evidence must hold."""

from collections.abc import Iterator

from suite_deploy.policy.rule import Outcome, Subject, clause, failed, passed

PARTS = (
    ("inputs", "digest"),
    ("inputs", "inventory"),
    ("register", "digest"),
    ("register", "as_of"),
    ("rules", "digest"),
    ("rules", "version"),
)


@clause("parts_present", of_the_run=True)
def parts_present(subject: Subject) -> Iterator[Outcome]:
    evidence = subject.run.evidence
    missing = [".".join(path) for path in PARTS if not evidence.get(path[0], {}).get(path[1])]
    missing += [] if evidence.get("results") else ["results"]
    if missing:
        yield failed("evidence", f"lacks {', '.join(missing)}.")
    else:
        yield passed("evidence", f"{len(evidence['results'])} results")
