# SPDX-License-Identifier: MIT
"""The hosts' private network, and its way out."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_openstack import networking

from stacks.components.openstack.place import Place


@dataclass(frozen=True)
class NetworkConfig:
    """cidr: of the hosts' subnet. external_network_id: where public addresses come from. resolvers: DNS servers."""

    cidr: str
    external_network_id: pulumi.Input[str]
    resolvers: tuple[str, ...] = ()


class PrivateNetwork(pulumi.ComponentResource):
    """Network, subnet, router and the router's foot in the subnet. Outputs: network_id, subnet_id, exit."""

    network_id: pulumi.Output[str]
    subnet_id: pulumi.Output[str]
    #: public addresses can only be given to hosts once this is there
    exit: networking.RouterInterface

    def __init__(self, name: str, place: Place, config: NetworkConfig, opts: pulumi.ResourceOptions | None = None):
        super().__init__("suite:network:PrivateNetwork", name, None, opts)
        network = networking.Network(
            f"network-{name}",
            name=place.called(name),
            admin_state_up=True,
            region=place.region,
            tags=place.labels,
            opts=place.under(self),
        )
        subnet = networking.Subnet(
            f"subnet-{name}",
            name=place.called(name),
            network_id=network.id,
            cidr=config.cidr,
            ip_version=4,
            enable_dhcp=True,
            dns_nameservers=list(config.resolvers) or None,
            region=place.region,
            tags=place.labels,
            opts=place.under(self),
        )
        router = networking.Router(
            f"router-{name}",
            name=place.called(name),
            admin_state_up=True,
            external_network_id=config.external_network_id,
            region=place.region,
            tags=place.labels,
            opts=place.under(self),
        )
        self.exit = networking.RouterInterface(
            f"router-interface-{name}",
            router_id=router.id,
            subnet_id=subnet.id,
            region=place.region,
            opts=place.under(self),
        )
        self.network_id, self.subnet_id = network.id, subnet.id
        self.register_outputs({"network_id": self.network_id, "subnet_id": self.subnet_id})
