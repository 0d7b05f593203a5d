# SPDX-License-Identifier: MIT
"""One security group per host, holding exactly the rules its components declare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_openstack import networking

from stacks.components.openstack.place import Place
from stacks.components.rules import Inbound


@dataclass(frozen=True)
class SecurityConfig:
    """inbound: host → what may reach it; a host named as source stands for whoever is in that host's group."""

    inbound: Mapping[str, tuple[Inbound, ...]]


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
        for host, rules in config.inbound.items():
            # What leaves is confined on the host, by name and per component; addresses say too little for that.
            networking.SecGroupRule(
                f"rule-{host}-out",
                direction="egress",
                ethertype="IPv4",
                security_group_id=self.ids[host],
                region=place.region,
                opts=place.under(self, delete_before_replace=True),
            )
            for rule in rules:
                networking.SecGroupRule(
                    f"rule-{host}-{rule.proto}-{rule.ports}-{rule.source}",
                    direction="ingress",
                    ethertype="IPv4",
                    protocol=rule.proto,
                    port_range_min=rule.first,
                    port_range_max=rule.last,
                    remote_ip_prefix=rule.network or None,
                    remote_group_id=self.ids[rule.host] if rule.host else None,
                    security_group_id=self.ids[host],
                    region=place.region,
                    # an equal rule is refused while the old one is there
                    opts=place.under(self, delete_before_replace=True),
                )
        self.register_outputs({"ids": dict(self.ids)})
