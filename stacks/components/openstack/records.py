# SPDX-License-Identifier: MIT
"""The suite's names in a zone of the cloud's DNS (Designate). The zone and its other record sets are left alone."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_openstack import dns

from stacks.components.openstack.place import Place


@dataclass(frozen=True)
class RecordsConfig:
    """zone_id: of a zone that is there. names: fully qualified, without a final dot. ttl: seconds.

    address: IPv4, what each name stands for.
    """

    zone_id: pulumi.Input[str]
    names: tuple[str, ...]
    ttl: int
    address: pulumi.Input[str]


class Records(pulumi.ComponentResource):
    """An A record set per name. A name that the zone has an A record set of already is an error of the cloud's."""

    def __init__(self, name: str, place: Place, config: RecordsConfig, opts: pulumi.ResourceOptions | None = None):
        super().__init__("suite:network:Records", name, None, opts)
        for fqdn in config.names:
            dns.RecordSet(
                f"record-{fqdn}",
                zone_id=config.zone_id,
                name=f"{fqdn}.",
                description=f"suite {place.suite}, made by suite-deploy",
                type="A",
                records=[config.address],
                ttl=config.ttl,
                region=place.region,
                opts=place.under(self),
            )
        self.register_outputs({"names": list(config.names)})
