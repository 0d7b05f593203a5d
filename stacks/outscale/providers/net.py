# SPDX-License-Identifier: MIT
"""A Net and its subnets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import Provider
from .client import Answer, Client
from .inputs import Cidr, Inputs
from .resource import OutscaleResource


class NetInputs(Inputs):
    """ip_range: CIDR between /16 and /28."""

    ip_range: Cidr


class NetProvider(Provider[NetInputs]):
    kind = "Net"
    inputs = NetInputs
    fixed = frozenset(("region", "ipRange"))
    collection, filter, key = "Nets", "NetIds", "NetId"
    unnamed = True

    def make(self, client: Client, inputs: NetInputs) -> Answer:
        return self.appearing(
            client,
            lambda: _net(client.do("CreateNet", IpRange=inputs.ip_range)),
            lambda item: item.get("IpRange") == inputs.ip_range,
        )

    def observed(self, live: Answer, given: Mapping[str, Any]) -> dict[str, Any]:
        return {"ipRange": live.get("IpRange")}

    def remove(self, client: Client, live: Answer, properties: Mapping[str, Any]) -> None:
        client.read("DeleteNet", NetId=live["NetId"])


class SubnetInputs(Inputs):
    """net_id: where it lies. ip_range: part of the Net's. subregion_name: zone of its hosts."""

    net_id: str
    ip_range: Cidr
    subregion_name: str


class SubnetProvider(Provider[SubnetInputs]):
    kind = "subnet"
    inputs = SubnetInputs
    fixed = frozenset(("region", "netId", "ipRange", "subregionName"))
    collection, filter, key = "Subnets", "SubnetIds", "SubnetId"

    def make(self, client: Client, inputs: SubnetInputs) -> Answer:
        made: Answer = client.once(
            lambda: client.do(
                "CreateSubnet", NetId=inputs.net_id, IpRange=inputs.ip_range, SubregionName=inputs.subregion_name
            )["Subnet"],
            lambda: self.lost(client, inputs),
        )
        return made

    def lost(self, client: Client, inputs: SubnetInputs) -> Answer | None:
        # Ranges of a Net's subnets never overlap: the range is its name.
        found = self.listed(client, NetIds=[inputs.net_id], IpRanges=[inputs.ip_range])
        return found[0] if found and not found[0].get("Tags") else None

    def observed(self, live: Answer, given: Mapping[str, Any]) -> dict[str, Any]:
        shown = {"netId": "NetId", "ipRange": "IpRange", "subregionName": "SubregionName"}
        return {name: live.get(key) for name, key in shown.items()}

    def remove(self, client: Client, live: Answer, properties: Mapping[str, Any]) -> None:
        client.read("DeleteSubnet", SubnetId=live["SubnetId"])


class Net(OutscaleResource, module="outscale", name="Net"):
    """A private network."""

    provider = NetProvider()
    computed = ()


class Subnet(OutscaleResource, module="outscale", name="Subnet"):
    """A part of a Net in one subregion."""

    provider = SubnetProvider()
    computed = ()


def _net(answer: Answer) -> Answer:
    made: Answer = answer["Net"]
    return made
