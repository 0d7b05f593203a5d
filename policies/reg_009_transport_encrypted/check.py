# SPDX-License-Identifier: MIT
"""Plain HTTP and switched-off certificate checks."""

from collections.abc import Iterator

from suite_deploy.policy.ambient import means_insecure, of_kind
from suite_deploy.policy.resource import walk
from suite_deploy.policy.rule import Outcome, Resource, Subject, clause, failed, passed, resource_clause

KEYS = (
    "infrastructure.auth_url",
    "infrastructure.endpoint",
    "infrastructure.object_store.endpoint",
    "state.s3.endpoint",
    "backup.target.endpoint",
    "tls.directory",
)


@clause("inventory_https")
def inventory_https(subject: Subject) -> Iterator[Outcome]:
    keys = [*KEYS, *(f"infrastructure.endpoints.{name}" for name in subject.get("infrastructure.endpoints", {}))]
    plain = [(key, str(subject.get(key))) for key in keys if str(subject.get(key, "")).lower().startswith("http://")]
    for key, value in plain:
        yield failed(key, f"{value} is not encrypted; https is required.")
    if subject.get("infrastructure.insecure"):
        yield failed("infrastructure.insecure", "turns certificate checks off.")
    elif not plain:
        yield passed("infrastructure", "no endpoint of the inventory is plain HTTP")


@clause("ambient_checks_certificates")
def ambient_checks_certificates(subject: Subject) -> Iterator[Outcome]:
    said = False
    for source, value in of_kind(subject.ambient, subject.driver, "insecure"):
        if means_insecure(source, value):
            said = True
            yield failed(f"environment.{source}", f"{source} turns certificate checks off.")
    for source, value in of_kind(subject.ambient, subject.driver, "endpoint"):
        if value.lower().startswith("http://"):
            said = True
            yield failed(f"environment.{source}", f"{source} is {value}, which is not encrypted.")
    if not said:
        yield passed("environment", "nothing in the environment turns TLS or certificate checks off")


@resource_clause(
    "provider_secure",
    "pulumi:providers:openstack",
    "pulumi:providers:ovh",
    "openstack:",
    "ovh:",
    "pulumi-python:dynamic/outscale:",
)
def provider_secure(resource: Resource, subject: Subject) -> str | None:
    settings = resource.props if resource.package == "pulumi" else resource.provider
    if settings.get("insecure") is True or str(settings.get("insecure")).lower() == "true":
        return "its provider does not check certificates (`insecure`)."
    for key in ("authUrl", "endpointOverrides", "endpoints", "endpoint"):
        given = settings.get(key) or resource.props.get(key)
        if not given:
            continue
        for path, value in walk(given, key):
            if isinstance(value, str) and value.lower().startswith("http://"):
                return f"{path} is {value}, which is not encrypted."
    return None
