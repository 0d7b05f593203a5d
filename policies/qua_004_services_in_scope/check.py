# SPDX-License-Identifier: MIT
"""Scope by service."""

from collections.abc import Iterator

from suite_deploy.policy.coverage import service_of
from suite_deploy.policy.rule import Outcome, Resource, Subject, clause, failed, not_applicable, passed, resource_clause

WORDS = {
    "in_progress": "waits for its qualification",
    "out_of_scope": "is outside the decision",
    "unknown": "is not known to be covered",
}


@clause("services_used")
def services_used(subject: Subject) -> Iterator[Outcome]:
    if not subject.labels or not subject.offer:
        yield not_applicable("infrastructure", "no label is asked for")
        return
    if not subject.is_cloud:
        yield not_applicable("infrastructure", f"the driver {subject.driver} uses no service of an offer")
        return
    for service, key in _used(subject):
        problem = _problem(service, subject)
        yield failed(key, problem) if problem else passed(key, service)


@resource_clause("resource_service", "openstack:", "ovh:", "pulumi-python:dynamic/outscale:")
def resource_service(resource: Resource, subject: Subject) -> str | None:
    service = service_of(resource.type)
    return _problem(service, subject) if service and subject.labels else None


def _used(subject: Subject) -> Iterator[tuple[str, str]]:
    yield "compute", "infrastructure.hosts"
    if subject.has_data_volumes:
        yield "block", "infrastructure.hosts"
    if subject.get("infrastructure.object_store"):
        yield "object", "infrastructure.object_store"
    if subject.get("infrastructure.dns"):
        yield "dns", "infrastructure.dns"
    for key in ("state.s3", "backup.target"):
        if subject.get(key) and subject.get(f"{key}.offer") in (None, subject.offer):
            yield "object", key
    if subject.get("target") == "kubernetes":
        yield "kubernetes", "target"


def _problem(service: str, subject: Subject) -> str | None:
    for label in subject.labels:
        row = subject.decision(label)
        if row is None or row.status != "qualified":
            continue
        scope = row.services.get(service)
        status = scope.status if scope else "unknown"
        if status != "in_scope":
            note = f" ({scope.note}, confidence {scope.confidence})" if scope and scope.note else ""
            return f"{row.title}: the service `{service}` {WORDS[status]}{note}."
    return None
