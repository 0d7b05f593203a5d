# SPDX-License-Identifier: MIT
"""ACME directories."""

from collections.abc import Iterator

from suite_deploy.policy.hosts import host_in, host_of
from suite_deploy.policy.rule import Outcome, Subject, clause, failed, not_applicable, passed

KEY = "tls.directory"


@clause("directory_listed")
def directory_listed(subject: Subject) -> Iterator[Outcome]:
    written = subject.get(KEY)
    if subject.get("tls.issuer", "internal-ca") != "acme":
        yield not_applicable("tls", "certificates come from the suite's own authority, or are provided")
    elif not written:
        yield failed(KEY, "is not written, so a client's default issuer would be taken.")
    elif host_in(host_of(str(written)) or "", subject.profile.allow.acme):
        yield passed(KEY, str(written))
    else:
        yield failed(
            KEY,
            f"{host_of(str(written))} is on no list of profile {subject.profile.name}.",
            f"Listed: {', '.join(subject.profile.allow.acme)}.",
        )
