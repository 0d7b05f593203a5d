# SPDX-License-Identifier: MIT
"""Second regions in settings and resources."""

from collections.abc import Iterable, Iterator

from suite_deploy.policy.places import names_second_region
from suite_deploy.policy.register_schema import Region
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

STORES = ("s3.", "oos.", "s3-beta.")


@clause("inventory_regions")
def inventory_regions(subject: Subject) -> Iterator[Outcome]:
    said = False
    for key in ("state.s3", "backup.target"):
        if not subject.get(key):
            continue
        said = True
        region, offer = str(subject.get(f"{key}.region", "")), subject.get(f"{key}.offer") or subject.offer
        rows = subject.register.regions_of(str(offer)) if offer else ()
        names = {name for row in rows for name in row.ids} | _store_names(rows)
        if region in names:
            yield passed(f"{key}.region", region)
        else:
            yield failed(
                f"{key}.region",
                f"{region or 'no region'} is no region of {offer or 'a declared offer'}.",
                f"Its regions: {', '.join(sorted(names))}." if names else "",
            )
    here = {subject.region} | _store_names((subject.region_row,) if subject.region_row else ())
    own = {name for row in subject.offer_regions for name in row.ids}
    store = subject.get("infrastructure.object_store.region")
    lists = {"infrastructure.object_store.region": [store] if store else []}
    lists |= {key: subject.get(key, ()) for key in ("infrastructure.object_store.replicate_to", "backup.replicate_to")}
    for key, regions in lists.items():
        for region in regions:
            said = True
            if region in here or (key == "backup.replicate_to" and region in own):
                yield passed(key, region)
            else:
                yield failed(key, f"names {region}; data stays in {subject.region}.")
    if not said:
        yield not_applicable("state", "neither state nor backups name a region")


@resource_clause("resource_regions", "*")
def resource_regions(resource: Resource, subject: Subject) -> str | None:
    for key, value in resource.props.items():
        if type(value) in (dict, list):
            leaves = walk(value, key)
        elif names_second_region(key):
            leaves = iter(((key, value),))
        else:
            continue
        for path, item in leaves:
            if names_second_region(path) and item is not UNKNOWN and item and item != subject.region:
                return f"{path} names {item}; data stays in {subject.region}."
    return None


@resource_clause("no_region_enabled", "ovh:CloudProject/region:Region", "ovh:CloudProject/projectRegion:ProjectRegion")
def no_region_enabled(resource: Resource, subject: Subject) -> str | None:
    name = resource.props.get("name") or resource.props.get("regionName") or resource.props.get("region")
    if name is UNKNOWN or name != subject.region:
        return f"opens the region {name} for the project; the inventory declares {subject.region}."
    return None


def _store_names(rows: Iterable[Region]) -> set[str]:
    """What the object stores of these regions call the same place."""
    return {host.split(".")[1] for row in rows for host in row.hosts if host.startswith(STORES)}
