# SPDX-License-Identifier: MIT
"""Hosts are compared whole, with the register's rows of (provider, sign-in host, region)."""

from collections.abc import Iterator

from suite_deploy.policy.ambient import of_kind
from suite_deploy.policy.hosts import host_in, host_of
from suite_deploy.policy.resource import walk
from suite_deploy.policy.rule import (
    UNKNOWN,
    Outcome,
    Resource,
    Subject,
    clause,
    failed,
    not_applicable,
    passed,
    resource_clause,
)

KEYS = {"openstack": "infrastructure.auth_url", "outscale": "infrastructure.endpoint", "ovh": "infrastructure.endpoint"}


@clause("sign_in_host")
def sign_in_host(subject: Subject) -> Iterator[Outcome]:
    key = KEYS.get(subject.driver)
    if key is None:
        yield not_applicable("infrastructure", f"the driver {subject.driver} signs in nowhere")
        return
    row, host = subject.region_row, subject.auth_host
    if not host:
        yield failed(key, "no sign-in host can be read from it.")
    elif row is None:
        yield not_applicable(key, "the register does not know the region (REG-001)")
    elif row.delivered and subject.register.has_auth_host(row, host):
        yield passed(key, f"{host}: declared, not verified (the provider hands it over at delivery)")
    elif subject.register.has_auth_host(row, host):
        yield passed(key, host)
    else:
        owner = subject.register.owner_of_host(host)
        known = ", ".join(row.auth_hosts) if isinstance(row.auth_hosts, tuple) else "handed over at delivery"
        elsewhere = f"The register knows {host} as {owner.provider} {owner.ids[0]} ({owner.city})." if owner else ""
        yield failed(
            key, f"{host} is no sign-in host of {row.provider} {subject.region}.", f"Known: {known}.", elsewhere
        )


@clause("declared_endpoints")
def declared_endpoints(subject: Subject) -> Iterator[Outcome]:
    written = {
        f"infrastructure.endpoints.{name}": url for name, url in subject.get("infrastructure.endpoints", {}).items()
    }
    if subject.get("infrastructure.object_store.endpoint"):
        written["infrastructure.object_store.endpoint"] = subject.get("infrastructure.object_store.endpoint")
    if not written:
        yield not_applicable("infrastructure.endpoints", "none is overridden and no object store is named")
    for key, url in written.items():
        host = host_of(str(url))
        if host_in_region(host, subject):
            yield passed(key, str(url))
        else:
            found = f"{host or url} is not of {subject.provider or 'the provider'} {subject.region}."
            yield failed(key, found, *_ways_out(host, subject))


def _ways_out(host: str | None, subject: Subject) -> tuple[str, ...]:
    """What the register knows of the region, and of the host, and what to do where the register lacks it."""
    row = subject.region_row
    if row is None:
        return ("The register does not know the region (REG-001).",)
    auth_hosts = row.auth_hosts if isinstance(row.auth_hosts, tuple) else ()
    owner = subject.register.owner_of_host(host) if host else None
    return (
        f"Known of {subject.region}: {', '.join(dict.fromkeys((*row.hosts, *auth_hosts))) or 'none'}.",
        f"The register knows {host} as {owner.provider} {owner.ids[0]} ({owner.city})." if owner else "",
        "One that the provider publishes or delivered and the register lacks: add it to `hosts` of the region in a"
        " register of your own (`suite-deploy policy register --export FILE`), or waive this in waivers.yml.",
    )


@clause("ambient_endpoints_agree")
def ambient_endpoints_agree(subject: Subject) -> Iterator[Outcome]:
    if not subject.is_cloud:
        yield not_applicable("environment", f"the driver {subject.driver} reads no endpoint")
        return
    said = False
    given = {source.rpartition(".")[0] for source in subject.ambient if source.endswith(".auth_url")}
    for source, value in of_kind(subject.ambient, subject.driver, "endpoint"):
        said = True
        host = host_of(value)
        if host_in_region(host, subject):
            yield passed(f"environment.{source}", value)
        else:
            yield failed(
                f"environment.{source}",
                f"{source} sends requests to {host or value!r}, which is not of {subject.provider} {subject.region}.",
                "Equal values pass. Unset it, or correct whichever is wrong.",
            )
    for source, value in of_kind(subject.ambient, subject.driver, "interface"):
        said = True
        declared = str(subject.get("infrastructure.endpoint", "ovh-eu"))
        if value == declared:
            yield passed(f"environment.{source}", value)
        else:
            yield failed(f"environment.{source}", f"{source} says {value!r}; the inventory declares {declared!r}.")
    for source, value in of_kind(subject.ambient, subject.driver, "vendor"):
        said = True
        if source.rpartition(".")[0] + ".auth" in given:
            yield passed(f"environment.{source}", f"{value}; the entry's own auth_url decides")
        else:
            yield failed(
                f"environment.{source}", f"the vendor profile {value!r} hides the endpoint; write auth_url instead."
            )
    if not said:
        yield passed("environment", "nothing in the environment names an endpoint")


@resource_clause("provider_endpoints", "pulumi:providers:openstack", "pulumi:providers:ovh", "openstack:", "ovh:")
def provider_endpoints(resource: Resource, subject: Subject) -> str | None:
    settings = resource.props if resource.package == "pulumi" else resource.provider
    if not settings:
        return None
    auth = settings.get("authUrl")
    if auth is UNKNOWN:
        return "the provider's authUrl is not known before something is created; write it as text."
    if auth and host_of(str(auth)) != subject.auth_host:
        return f"the provider signs in at {host_of(str(auth))}; the inventory declares {subject.auth_host}."
    interface = settings.get("endpoint")
    if interface and interface != subject.get("infrastructure.endpoint", "ovh-eu"):
        return f"the provider uses the interface {interface!r}; the inventory declares another."
    if settings.get("cloud"):
        return f"the provider takes its settings from clouds.yaml ({settings['cloud']}); pass region and authUrl."
    for path, value in walk(settings.get("endpointOverrides") or {}):
        if not host_in_region(host_of(str(value)), subject):
            return f"endpointOverrides.{path} sends requests to {value}, which is not of {subject.region}."
    return None


def host_in_region(host: str | None, subject: Subject) -> bool:
    """Whether a host is the declared sign-in host, a service host of the region, or a declared store."""
    if not host:
        return False
    stores = [host_of(str(subject.get(f"{key}.endpoint", ""))) for key in ("state.s3", "backup.target")]
    if host == subject.auth_host or host in stores:
        return True
    row = subject.region_row
    return row is not None and (
        host_in(host, row.hosts) or (not row.delivered and subject.register.has_auth_host(row, host))
    )
