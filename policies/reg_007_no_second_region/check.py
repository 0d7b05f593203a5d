# SPDX-License-Identifier: MIT
"""Second regions in settings and resources."""

from collections.abc import Iterator

from suite_deploy.policy.places import SECOND_REGION_KEY
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


@clause("inventory_regions")
def inventory_regions(subject: Subject) -> Iterator[Outcome]:
    said = False
    for key in ("state.s3", "backup.target"):
        if not subject.get(key):
            continue
        said = True
        region, offer = str(subject.get(f"{key}.region", "")), subject.get(f"{key}.offer") or subject.offer
        rows = subject.register.regions_of(str(offer)) if offer else ()
        names = {name for row in rows for name in row.ids}
        names |= {
            host.split(".")[1] for row in rows for host in row.hosts if host.startswith(("s3.", "oos.", "s3-beta."))
        }
        if region in names:
            yield passed(f"{key}.region", region)
        else:
            yield failed(
                f"{key}.region",
                f"{region or 'no region'} is no region of {offer or 'a declared offer'}.",
                f"Its regions: {', '.join(sorted(names))}." if names else "",
            )
    if not said:
        yield not_applicable("state", "neither state nor backups name a region")


@resource_clause("resource_regions", "*")
def resource_regions(resource: Resource, subject: Subject) -> str | None:
    for key, value in resource.props.items():
        nested = isinstance(value, (dict, list))
        if not nested and not SECOND_REGION_KEY.search(key):
            continue
        for path, item in walk(value, key):
            if SECOND_REGION_KEY.search(path) and item is not UNKNOWN and item and item != subject.region:
                return f"{path} names {item}; data stays in {subject.region}."
    return None


@resource_clause("no_region_enabled", "ovh:CloudProject/region:Region", "ovh:CloudProject/projectRegion:ProjectRegion")
def no_region_enabled(resource: Resource, subject: Subject) -> str | None:
    name = resource.props.get("name") or resource.props.get("regionName") or resource.props.get("region")
    if name is UNKNOWN or name != subject.region:
        return f"opens the region {name} for the project; the inventory declares {subject.region}."
    return None
