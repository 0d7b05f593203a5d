# SPDX-License-Identifier: MIT
"""The suite's names in a DNS zone of the OVHcloud account. The zone and its other records are left alone.

The zone belongs to the account, not to the cloud project or a region. OVHcloud's provider has the zone published anew
after each record that it makes, changes or removes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_ovh as ovh
from pulumi_ovh import domain

from stacks.components.spec import DnsSpec
from stacks.ovh.place import Project
from suite_deploy.errors import CouldNotRun, InvalidInput, Problem
from suite_deploy.model.deployment import Deployment

#: what OVHcloud's interface answers, with a 404, for a zone that does not exist or is somebody else's
_NO_ZONE = "This service does not exist"
#: types that answer for a name beside an A record or in its place: users would be led to two places
_RIVALS = ("A", "AAAA", "CNAME")


@dataclass(frozen=True)
class Existing:
    """A record that the zone had before this run. name: fully qualified. id: OVHcloud's."""

    id: str
    name: str
    type: str
    target: str


@dataclass(frozen=True)
class RecordsConfig:
    """zone: name of a zone of the account. names: fully qualified, inside it. ttl: seconds.

    address: IPv4, what each name stands for. existing: what answers for one of the names already.
    """

    zone: str
    names: tuple[str, ...]
    ttl: int
    address: pulumi.Input[str]
    existing: tuple[Existing, ...] = ()


class Records(pulumi.ComponentResource):
    """An A record per name. The run ends where somebody else's record answers for one of them already.

    OVHcloud takes a second record of a name without a word and answers with both in turn.
    """

    def __init__(self, name: str, project: Project, config: RecordsConfig, opts: pulumi.ResourceOptions | None = None):
        super().__init__("suite:network:Records", name, None, opts)
        made = {
            fqdn: domain.ZoneRecord(
                f"record-{fqdn}",
                zone=config.zone,
                subdomain=fqdn.removesuffix(config.zone).removesuffix("."),
                fieldtype="A",
                target=config.address,
                ttl=config.ttl,
                opts=project.under(self),
            )
            for fqdn in config.names
        }
        # awaited by the engine's SDK with the outputs: what is raised in there ends the run
        self.register_outputs({"names": _alone(made, config)})


async def _alone(made: Mapping[str, domain.ZoneRecord], config: RecordsConfig) -> list[str]:
    """The names, once it is sure that no other record answers for one of them.

    A record of ours has an id before it is looked for; in a plan, one that is still to be made has none, and whatever
    answers for its name is somebody else's.
    """
    others = [item for item in config.existing if item.id != await made[item.name].id.future()]
    if others:
        there = "".join(f"\n  {item.name}: {item.type} {item.target}" for item in others)
        raise pulumi.RunError(
            f"the zone {config.zone} has records already that this suite did not make, for names of the suite:{there}\n"
            "  They were left as they are. Remove them there and run the same command again, or leave"
            " infrastructure.dns out: `up` then lists the records to publish."
        )
    return list(made)


def records_config(
    deployment: Deployment, project: Project, wanted: DnsSpec, address: pulumi.Input[str]
) -> RecordsConfig:
    """What `Records` needs, after a look at the zone; address: of edge. Raises what `existing` raises."""
    there = existing(deployment, project, wanted.zone, wanted.names)
    return RecordsConfig(wanted.zone, wanted.names, wanted.ttl, address, there)


def existing(deployment: Deployment, project: Project, zone: str, names: tuple[str, ...]) -> tuple[Existing, ...]:
    """Records of the zone that answer for one of `names` now, the suite's own among them.

    Raises InvalidInput when the account has no such zone, CouldNotRun when it cannot be read.
    """
    opts = pulumi.InvokeOptions(provider=project.provider)
    try:
        ids = ovh.get_domain_zone_records(zone_name=zone, opts=opts).ids
        # one by one: OVHcloud's provider lists nothing but ids
        read = [ovh.get_domain_zone_record(zone_name=zone, id=each, opts=opts) for each in ids]
    except Exception as error:
        said = str(error).strip()
        if _NO_ZONE not in said:
            raise CouldNotRun(_refusal(zone, said)) from error
        place = deployment.place("infrastructure", "dns", "zone")
        found = f"{zone} is no DNS zone of this OVHcloud account."
        step = "Name one that OVHcloud's console lists, or leave `dns` out: `up` lists the records to publish."
        raise InvalidInput([Problem(place.file, place.line, "infrastructure.dns.zone", found, "", step)]) from error
    there = (
        Existing(str(int(item.id)), _fqdn(item.sub_domain, zone), item.field_type, item.target)
        for item in read
        if item.field_type in _RIVALS
    )
    return tuple(item for item in there if item.name in names)


def _fqdn(subdomain: str | None, zone: str) -> str:
    """The full name of a record; the zone's own name has no subdomain."""
    return f"{subdomain}.{zone}".lower() if subdomain else zone


def _refusal(zone: str, said: str) -> str:
    """The engine raises plain exceptions, so what the interface says is all there is to go by."""
    return (
        f"OVHcloud's own interface did not list the records of {zone}:\n  {said}\n"
        "  Its keys (OVH_APPLICATION_KEY …) need GET, POST, PUT and DELETE on"
        f" /domain/zone/{zone}/*: docs/operator/clouds.md"
    )
