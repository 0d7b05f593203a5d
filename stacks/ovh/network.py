# SPDX-License-Identifier: MIT
"""The hosts' private network on the project's vRack, and the gateway they leave by."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import pulumi
from pulumi_ovh import cloudproject

from stacks.ovh.place import Project
from suite_deploy.model.values import FIRST_VLAN, LAST_VLAN


@dataclass(frozen=True)
class VrackConfig:
    """cidr: of the hosts' subnet. vlan: the network's number on the vRack; another one is another network.

    resolvers: DNS servers, OVHcloud's own when empty. model: size of the gateway.
    """

    cidr: str
    vlan: int
    resolvers: tuple[str, ...] = ()
    model: str = "s"


class VrackNetwork(pulumi.ComponentResource):
    """Network of one region, subnet, gateway. Outputs: network_id, subnet_id (OpenStack's), exit."""

    network_id: pulumi.Output[str]
    subnet_id: pulumi.Output[str]
    #: public addresses can only be given to hosts once this is there
    exit: cloudproject.Gateway

    def __init__(self, name: str, project: Project, config: VrackConfig, opts: pulumi.ResourceOptions | None = None):
        super().__init__("suite:network:PrivateNetwork", name, None, opts)
        region = project.place.region
        network = cloudproject.NetworkPrivate(
            f"network-{name}",
            service_name=project.id,
            name=project.place.called(name),
            # without this it would spread over every region of the project
            regions=[region],
            vlan_id=config.vlan,
            opts=project.under(self),
        )
        self.network_id = network.regions_openstack_ids.apply(lambda ids: ids[region])
        subnet = cloudproject.NetworkPrivateSubnetV2(
            f"subnet-{name}",
            service_name=project.id,
            region=region,
            network_id=self.network_id,
            name=project.place.called(name),
            cidr=config.cidr,
            dhcp=True,
            enable_gateway_ip=True,
            dns_nameservers=list(config.resolvers) or None,
            use_default_public_dns_resolver=not config.resolvers,
            opts=project.under(self),
        )
        self.subnet_id = subnet.id
        self.exit = cloudproject.Gateway(
            f"gateway-{name}",
            service_name=project.id,
            region=region,
            name=project.place.called(name),
            model=config.model,
            network_id=self.network_id,
            subnet_id=self.subnet_id,
            opts=project.under(self),
        )
        self.register_outputs({"network_id": self.network_id, "subnet_id": self.subnet_id})


def vlan_of(suite: str) -> int:
    """A VLAN for a suite whose inventory names none, the same at each run. Others on the vRack may have it."""
    return FIRST_VLAN + zlib.crc32(suite.encode()) % (LAST_VLAN - FIRST_VLAN + 1)
