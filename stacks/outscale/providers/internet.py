# SPDX-License-Identifier: MIT
"""The ways out of a Net: internet service, NAT service, public addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import Provider
from .client import Answer, Client
from .inputs import Inputs
from .power import KEEP_ADDRESS
from .resource import OutscaleResource
from .token import TokenProvider


class InternetServiceInputs(Inputs):
    """net_id: the Net it opens."""

    net_id: str


class InternetServiceProvider(Provider[InternetServiceInputs]):
    kind = "internet service"
    inputs = InternetServiceInputs
    fixed = frozenset(("region",))
    collection, filter, key = "InternetServices", "InternetServiceIds", "InternetServiceId"
    unnamed = True
    ready = frozenset()

    def make(self, client: Client, inputs: InternetServiceInputs) -> Answer:
        return self.appearing(
            client,
            lambda: _of(client.do("CreateInternetService"), "InternetService"),
            lambda item: not item.get("NetId"),
        )

    def lost(self, client: Client, inputs: InternetServiceInputs) -> Answer | None:
        found = self.listed(client, LinkNetIds=[inputs.net_id])
        return found[0] if found else None

    def finish(self, client: Client, live: Answer, inputs: InternetServiceInputs) -> None:
        if live.get("NetId") == inputs.net_id:
            return
        id_ = live["InternetServiceId"]
        if live.get("NetId"):
            client.read("UnlinkInternetService", InternetServiceId=id_, NetId=live["NetId"])
        client.once(
            lambda: client.settled(
                lambda: client.do("LinkInternetService", InternetServiceId=id_, NetId=inputs.net_id)
            ),
            lambda: self._linked(client, id_, inputs.net_id),
        )

    def _linked(self, client: Client, id_: str, net: str) -> Answer | None:
        live = self.present(client, id_)
        return live if live and live.get("NetId") == net else None

    def observed(self, live: Answer, given: Mapping[str, Any]) -> dict[str, Any]:
        return {"netId": live.get("NetId") or ""}

    def remove(self, client: Client, live: Answer, properties: Mapping[str, Any]) -> None:
        if live.get("NetId"):
            client.read("UnlinkInternetService", InternetServiceId=live["InternetServiceId"], NetId=live["NetId"])
        client.read("DeleteInternetService", InternetServiceId=live["InternetServiceId"])


class NatServiceInputs(Inputs):
    """subnet_id: a public subnet. public_ip_id: the address that everyone behind it shows outside."""

    subnet_id: str
    public_ip_id: str


class NatServiceProvider(TokenProvider[NatServiceInputs]):
    kind = "NAT service"
    inputs = NatServiceInputs
    fixed = frozenset(("region", "subnetId", "publicIpId"))
    collection, filter, key = "NatServices", "NatServiceIds", "NatServiceId"

    def send(self, client: Client, inputs: NatServiceInputs, token: str) -> Answer:
        return _of(
            client.read(
                "CreateNatService", SubnetId=inputs.subnet_id, PublicIpId=inputs.public_ip_id, ClientToken=token
            ),
            "NatService",
        )

    def observed(self, live: Answer, given: Mapping[str, Any]) -> dict[str, Any]:
        addresses = live.get("PublicIps") or [{}]
        return {
            "subnetId": live.get("SubnetId"),
            "publicIpId": addresses[0].get("PublicIpId") or given.get("publicIpId"),
            "publicIp": addresses[0].get("PublicIp") or "",
        }

    def remove(self, client: Client, live: Answer, properties: Mapping[str, Any]) -> None:
        client.read("DeleteNatService", NatServiceId=live["NatServiceId"])


class PublicIpInputs(Inputs):
    """vm_id: the host it leads to; none for a NAT service's address, which is linked by that service."""

    vm_id: str | None = None


class PublicIpProvider(Provider[PublicIpInputs]):
    kind = "public address"
    inputs = PublicIpInputs
    fixed = frozenset(("region",))
    collection, filter, key = "PublicIps", "PublicIpIds", "PublicIpId"
    unnamed = True
    ready = frozenset()

    def make(self, client: Client, inputs: PublicIpInputs) -> Answer:
        return self.appearing(
            client, lambda: _of(client.do("CreatePublicIp"), "PublicIp"), lambda item: not _holder(item)
        )

    def finish(self, client: Client, live: Answer, inputs: PublicIpInputs) -> None:
        if not inputs.vm_id or live.get("VmId") == inputs.vm_id:
            return
        id_, address = live["PublicIpId"], live["PublicIp"]
        # Repeating it changes nothing, so a lost answer may simply be asked for again.
        client.settled(lambda: client.read("LinkPublicIp", PublicIpId=id_, VmId=inputs.vm_id, AllowRelink=True))
        keep = [{"Key": KEEP_ADDRESS, "Value": address}]
        client.settled(lambda: client.read("CreateTags", ResourceIds=[inputs.vm_id], Tags=keep))

    def change(self, client: Client, live: Answer, old: Mapping[str, Any], new: PublicIpInputs) -> None:
        if live.get("VmId") and not new.vm_id:
            _unlink(client, live)

    def observed(self, live: Answer, given: Mapping[str, Any]) -> dict[str, Any]:
        return {"vmId": live.get("VmId") or None, "publicIp": live.get("PublicIp")}

    def remove(self, client: Client, live: Answer, properties: Mapping[str, Any]) -> None:
        if live.get("LinkPublicIpId"):
            _unlink(client, live)
        client.read("DeletePublicIp", PublicIpId=live["PublicIpId"])


class InternetService(OutscaleResource, module="outscale", name="InternetService"):
    """The door between a Net and the internet."""

    provider = InternetServiceProvider()


class NatService(OutscaleResource, module="outscale", name="NatService"):
    """The way out for hosts without a public address."""

    provider = NatServiceProvider()
    computed = ("publicIp",)


class PublicIp(OutscaleResource, module="outscale", name="PublicIp"):
    """A public address, linked to a host where `vmId` names one."""

    provider = PublicIpProvider()
    computed = ("publicIp",)


def _unlink(client: Client, live: Answer) -> None:
    client.read("UnlinkPublicIp", LinkPublicIpId=live["LinkPublicIpId"])


def _holder(live: Answer) -> str:
    return str(live.get("VmId") or live.get("NicId") or live.get("NatServiceId") or "")


def _of(answer: Answer, name: str) -> Answer:
    made: Answer = answer[name]
    return made
