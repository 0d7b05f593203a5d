# SPDX-License-Identifier: MIT
"""One security group per host, holding exactly the rules that its components and settings declare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_openstack import networking

from stacks.components.openstack.place import Place
from stacks.components.rules import EVERYONE, Inbound, Outbound
from stacks.components.spec import StackSpec


@dataclass(frozen=True)
class SecurityConfig:
    """inbound: host → what may reach it; a host named as source stands for whoever is in that host's group.

    outbound: host → ports it may call anywhere. network: CIDR inside which it may call everything.
    """

    inbound: Mapping[str, tuple[Inbound, ...]]
    outbound: Mapping[str, tuple[Outbound, ...]]
    network: str

    @classmethod
    def of(cls, spec: StackSpec) -> SecurityConfig:
        """What a deployment's hosts need."""
        return cls(
            {host.name: host.inbound for host in spec.hosts},
            {host.name: host.outbound for host in spec.hosts},
            spec.private_network,
        )


class SecurityGroups(pulumi.ComponentResource):
    """A group per host. Output: ids, host → the group's id."""

    ids: Mapping[str, pulumi.Output[str]]

    def __init__(self, name: str, place: Place, config: SecurityConfig, opts: pulumi.ResourceOptions | None = None):
        super().__init__("suite:network:SecurityGroups", name, None, opts)
        self.ids = {
            host: networking.SecGroup(
                f"security-group-{host}",
                name=place.called(host),
                description=f"what may reach {host} of suite {place.suite}",
                # the cloud's own first rules differ between clouds: none of them is taken for granted
                delete_default_rules=True,
                region=place.region,
                tags=place.labels,
                opts=place.under(self),
            ).id
            for host in config.inbound
        }
        self._place = place
        for host, inbound in config.inbound.items():
            for way_in in inbound:
                self._rule(
                    host,
                    f"{way_in.proto}-{way_in.ports}-{way_in.source}",
                    direction="ingress",
                    protocol=way_in.proto,
                    port_range_min=way_in.first,
                    port_range_max=way_in.last,
                    remote_ip_prefix=way_in.network or None,
                    remote_group_id=self.ids[way_in.host] if way_in.host else None,
                )
        for host, outbound in config.outbound.items():
            self._rule(host, "out-private", direction="egress", remote_ip_prefix=config.network)
            for way_out in outbound:
                self._rule(
                    host,
                    f"out-{way_out.proto}-{way_out.ports}",
                    direction="egress",
                    protocol=way_out.proto,
                    port_range_min=way_out.first,
                    port_range_max=way_out.last,
                    remote_ip_prefix=EVERYONE,
                )
        self.register_outputs({"ids": dict(self.ids)})

    def _rule(self, host: str, name: str, **what: Any) -> None:
        networking.SecGroupRule(
            f"rule-{host}-{name}",
            ethertype="IPv4",
            security_group_id=self.ids[host],
            region=self._place.region,
            # an equal rule is refused while the old one is there
            opts=self._place.under(self, delete_before_replace=True),
            **what,
        )
