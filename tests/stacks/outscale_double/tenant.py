# SPDX-License-Identifier: MIT
"""What resources at Outscale stand on, made by the providers themselves."""

from __future__ import annotations

from typing import Any

from stacks.outscale.providers.internet import InternetServiceProvider
from stacks.outscale.providers.keypair import KeypairProvider
from stacks.outscale.providers.net import NetProvider, SubnetProvider
from stacks.outscale.providers.routes import RouteTableProvider
from stacks.outscale.providers.security import SecurityGroupProvider

from .bench import PUBLIC_KEY, ZONE, Bench
from .engine import Made


class Tenant:
    """What the resources under test stand on."""

    def __init__(self, stand: Bench) -> None:
        self.stand = stand
        self.net = self.make(NetProvider(), "net", ipRange="10.64.0.0/24").id

    def properties(self, name: str, **given: Any) -> dict[str, Any]:
        return {**self.stand.common(name), **given}

    def make(self, provider: Any, name: str, **given: Any) -> Made:
        return self.stand.engine.create(provider, self.properties(name, **given))

    def subnet(self, name: str = "subnet", range_: str = "10.64.0.0/27") -> str:
        return self.make(SubnetProvider(), name, netId=self.net, ipRange=range_, subregionName=ZONE).id

    def group(self, name: str = "group", **rules: Any) -> Made:
        return self.make(SecurityGroupProvider(), name, **self.of_group(name, **rules))

    def of_group(self, name: str = "group", **rules: Any) -> dict[str, Any]:
        return {"netId": self.net, "groupName": f"hosts-of-{name}", "description": "test", **rules}

    def public_subnet(self) -> str:
        subnet = self.subnet()
        door = self.make(InternetServiceProvider(), "door", netId=self.net).id
        routes = [{"destinationIpRange": "0.0.0.0/0", "gatewayId": door}]
        self.make(RouteTableProvider(), "routes", netId=self.net, subnetIds=[subnet], routes=routes)
        return subnet

    def of_vm(self, **changed: Any) -> dict[str, Any]:
        """Properties of a host, with everything it stands on."""
        self.make(KeypairProvider(), "key", keypairName="agency", publicKey=PUBLIC_KEY)
        given = {
            "imageId": "ami-0a1b2c3d",
            "vmType": "tinav6.c4r16p2",
            "subnetId": self.public_subnet(),
            "subregionName": ZONE,
            "securityGroupIds": [self.group().id],
            "keypairName": "agency",
            "userData": "#cloud-config\n",
        }
        return self.properties("app-1", **{**given, **changed})
