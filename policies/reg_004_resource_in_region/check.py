# SPDX-License-Identifier: MIT
"""Region and zone of single resources."""

from collections.abc import Iterator

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

REGION_KEYS = ("region", "regionName")
ZONE_KEYS = frozenset(
    (
        "availabilityZone", "availabilityZones", "availabilityZoneHints", "zone",
        "subregionName", "placementSubregionName", "subregionNames", "cpSubregions",
    )
)  # fmt: skip
#: types that are the same everywhere, or belong to an account rather than to a region
ACCOUNT_WIDE = frozenset(
    (
        "ovh:CloudProject/user:User",
        "ovh:CloudProject/s3Policy:S3Policy",
        "ovh:CloudProject/s3Credential:S3Credential",
        # a zone of the account: public answers, given from wherever the company has name servers
        "ovh:Domain/zoneRecord:ZoneRecord",
    )
)


@clause("host_zones")
def host_zones(subject: Subject) -> Iterator[Outcome]:
    named = {f"infrastructure.hosts.{name}.zone": host.get("zone") for name, host in subject.hosts.items()}
    named["infrastructure.volumes.zone"] = subject.get("infrastructure.volumes.zone")
    if not any(named.values()):
        yield not_applicable("infrastructure.hosts", "no host and no volume names a zone")
    for key, zone in named.items():
        if not zone:
            continue
        problem = _zone_problem(str(zone), subject)
        yield failed(key, problem) if problem else passed(key, str(zone))


@resource_clause(
    "region_declared",
    "openstack:", "ovh:", "pulumi-python:dynamic/outscale:", "pulumi:providers:openstack",
)  # fmt: skip
def region_declared(resource: Resource, subject: Subject) -> str | None:
    props = resource.props
    found = next((props[key] for key in REGION_KEYS if props.get(key) or props.get(key) is UNKNOWN), None)
    if found is None:
        found = resource.provider.get("region")
    if found is UNKNOWN or resource.type in ACCOUNT_WIDE:
        return None
    if found is None:
        return f"neither it nor its provider names a region; {subject.region} must be written."
    if found != subject.region and str(found).lower() not in _store_names(subject):
        return f"lies in {found}; the inventory declares {subject.region}."
    return None


@resource_clause("zone_of_region", "openstack:", "ovh:", "pulumi-python:dynamic/outscale:")
def zone_of_region(resource: Resource, subject: Subject) -> str | None:
    # a DNS record's `zone` is a domain
    if resource.type in ACCOUNT_WIDE:
        return None
    for key in resource.props.keys() & ZONE_KEYS:
        for _, value in walk(resource.props[key]):
            if value is UNKNOWN or not value:
                continue
            problem = _zone_problem(value, subject)
            if problem:
                return problem
    return None


def _zone_problem(zone: str, subject: Subject) -> str | None:
    zones = subject.region_row.zones if subject.region_row else ()
    if zone in zones or (not zones and zone == "nova"):
        return None
    one = f"the register knows none of {subject.region}: leave it out, or write `nova`, as regions call their only one"
    known = f"{subject.region} has {', '.join(zones)}" if zones else one
    return f"names the zone {zone!r}; {known}."


def _store_names(subject: Subject) -> tuple[str, ...]:
    """The object store's own names for the declared region."""
    hosts = subject.region_row.hosts if subject.region_row else ()
    return tuple(host.split(".")[1] for host in hosts if host.startswith(("s3.", "oos.")))
