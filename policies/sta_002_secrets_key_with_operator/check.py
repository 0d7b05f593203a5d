# SPDX-License-Identifier: MIT
"""Who can open secrets in state."""

from collections.abc import Iterator

from suite_deploy.policy.ambient import about_state
from suite_deploy.policy.rule import Outcome, Resource, Subject, clause, failed, not_applicable, passed, resource_clause

OWN = ("passphrase", "default", "")


@clause("project_files")
def project_files(subject: Subject) -> Iterator[Outcome]:
    if not subject.is_cloud:
        yield not_applicable("environment", f"the driver {subject.driver} uses no engine")
        return
    said = False
    for source, value in about_state(subject.ambient, "kms"):
        if value not in OWN:
            said = True
            yield failed(
                f"environment.{source}",
                f"{source} names {value.partition('://')[0]!r}; the passphrase provider is required.",
            )
    if not said:
        yield passed("environment", "no stack file names a key service")


@resource_clause("exported_state", "suite:state:SecretsProvider")
def exported_state(resource: Resource, subject: Subject) -> str | None:
    kind = str(resource.props.get("type") or "")
    if kind in OWN:
        return None
    return f"secrets in this state are protected by {resource.props.get('url') or kind!r}, not by a passphrase."
