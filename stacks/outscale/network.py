# SPDX-License-Identifier: MIT
"""A Net with a public and a private subnet per subregion in use, and the ways out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi

from stacks.outscale.place import Place
from stacks.outscale.providers import InternetService, NatService, Net, PublicIp, RouteTable, Subnet

EVERYWHERE = "0.0.0.0/0"
#: a /24 holds eight subnets of 27 hosts each: four public ones, then four private ones
SUBNET_BITS, ZONES = 3, "abcd"


@dataclass(frozen=True)
class NetworkConfig:
    """cidr: of the Net. zones: subregions that hosts use. private_zones: where hosts have no public address."""

    cidr: str
    zones: tuple[str, ...]
    private_zones: tuple[str, ...]


class PrivateNetwork(pulumi.ComponentResource):
    """Net, subnets, internet service, NAT service, route tables. Outputs: net_id, subnets of both kinds by zone."""

    net_id: pulumi.Output[str]
    public: Mapping[str, pulumi.Output[str]]
    private: Mapping[str, pulumi.Output[str]]
    #: hosts in a public subnet reach the world, and are reached, once this is there
    door: RouteTable
    #: hosts in a private subnet reach the world once this is there
    back_door: RouteTable | None = None

    def __init__(self, name: str, place: Place, config: NetworkConfig, opts: pulumi.ResourceOptions | None = None):
        super().__init__("suite:network:PrivateNetwork", name, None, opts)
        self._place, self._config = place, config
        net = Net(f"net-{name}", place.under(self), **place.common(name), ipRange=config.cidr)
        self.net_id = net.id
        service = InternetService(
            f"internet-service-{name}", place.under(self), **place.common(name), netId=self.net_id
        )
        self.public = {zone: self._subnet("public", zone) for zone in config.zones}
        self.door = self._table("public", self.public, {"gatewayId": service.id})
        self.private = {zone: self._subnet("private", zone) for zone in config.private_zones}
        if self.private:
            self.back_door = self._table("private", self.private, {"natServiceId": self._nat(name).id})
        self.register_outputs({"net_id": self.net_id})

    def _nat(self, name: str) -> NatService:
        place = self._place
        address = PublicIp(f"address-nat-{name}", place.under(self), **place.common("nat"))
        return NatService(
            f"nat-{name}",
            # the API makes it in a public subnet only: one whose routes lead to the internet service
            place.under(self, depends_on=[self.door]),
            **place.common(name),
            subnetId=self.public[self._config.zones[0]],
            publicIpId=address.id,
        )

    def _subnet(self, side: str, zone: str) -> pulumi.Output[str]:
        place = self._place
        return Subnet(
            f"subnet-{side}-{zone}",
            place.under(self),
            **place.common(side, zone),
            netId=self.net_id,
            ipRange=subnet_range(self._config.cidr, side, zone),
            subregionName=zone,
        ).id

    def _table(
        self, side: str, subnets: Mapping[str, pulumi.Output[str]], way: Mapping[str, pulumi.Output[str]]
    ) -> RouteTable:
        place = self._place
        return RouteTable(
            f"route-table-{side}",
            place.under(self),
            **place.common(side),
            netId=self.net_id,
            subnetIds=list(subnets.values()),
            routes=[{"destinationIpRange": EVERYWHERE, **way}],
        )


def subnet_range(cidr: str, side: str, zone: str) -> str:
    """The part of the Net that a subnet gets: by its zone's letter, so that zones that come later move nobody."""
    parts = list(IPv4Network(cidr).subnets(prefixlen_diff=SUBNET_BITS))
    return str(parts[ZONES.index(zone[-1]) + (0 if side == "public" else len(ZONES))])
