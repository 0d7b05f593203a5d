# SPDX-License-Identifier: MIT
"""The operator's own evidence of what was bought."""

import re
from collections.abc import Iterator

from suite_deploy.policy.rule import Outcome, Subject, clause, failed, not_applicable, passed

CONTRACT, HASH = "infrastructure.evidence.contract", "infrastructure.evidence.attestation_sha256"


@clause("contract_named")
def contract_named(subject: Subject) -> Iterator[Outcome]:
    if not _asked(subject):
        yield not_applicable(CONTRACT, "no label is asked for")
    elif str(subject.get(CONTRACT, "")).strip():
        yield passed(CONTRACT, "declared, not verified")
    else:
        yield failed(
            CONTRACT, "names no contract; the agreement must state that the service delivered is the qualified one."
        )


@clause("attestation_hashed")
def attestation_hashed(subject: Subject) -> Iterator[Outcome]:
    written = str(subject.get(HASH, ""))
    if not _asked(subject):
        yield not_applicable(HASH, "no label is asked for")
    elif re.fullmatch(r"[0-9a-f]{64}", written) and len(set(written)) > 1:
        yield passed(HASH, "declared, not verified")
    else:
        yield failed(HASH, "holds no SHA-256 of the attestation that comes with the service agreement.")


def _asked(subject: Subject) -> bool:
    return bool(subject.labels) and not subject.is_local
