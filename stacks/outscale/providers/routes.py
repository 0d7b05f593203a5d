# SPDX-License-Identifier: MIT
"""Route tables with their routes and the subnets that use them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import model_validator

from .base import Provider
from .client import Answer, Client
from .errors import ApiError
from .inputs import Cidr, Inputs, Strict
from .resource import OutscaleResource


class Route(Strict):
    """destination_ip_range: CIDR. gateway_id or nat_service_id: where it goes."""

    destination_ip_range: Cidr
    gateway_id: str | None = None
    nat_service_id: str | None = None

    @model_validator(mode="after")
    def one_target(self) -> Route:
        """Exactly one way."""
        if bool(self.gateway_id) == bool(self.nat_service_id):
            raise ValueError("a route needs exactly one of gatewayId, natServiceId")
        return self


class RouteTableInputs(Inputs):
    """net_id: whose it is. subnet_ids: who uses it. routes: beside the Net's own."""

    net_id: str
    subnet_ids: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()


class RouteTableProvider(Provider[RouteTableInputs]):
    kind = "route table"
    inputs = RouteTableInputs
    fixed = frozenset(("region", "netId"))
    collection, filter, key = "RouteTables", "RouteTableIds", "RouteTableId"
    unnamed = True
    ready = frozenset()

    def make(self, client: Client, inputs: RouteTableInputs) -> Answer:
        return self.appearing(
            client,
            lambda: _table(client.do("CreateRouteTable", NetId=inputs.net_id)),
            lambda item: item.get("NetId") == inputs.net_id and not _is_main(item),
        )

    def lost(self, client: Client, inputs: RouteTableInputs) -> Answer | None:
        # The Net is ours: an untagged table beside its main one was made by a run that did not live to tag it.
        found = [item for item in self.listed(client, NetIds=[inputs.net_id]) if not _is_main(item)]
        return next((item for item in found if not item.get("Tags")), None)

    def finish(self, client: Client, live: Answer, inputs: RouteTableInputs) -> None:
        id_ = live["RouteTableId"]
        there, wanted = _routes(live), [route.dump() for route in inputs.routes]
        for route in there:
            if route not in wanted:
                bent = {"RouteTableId": id_, "DestinationIpRange": route["destinationIpRange"]}
                _unless_gone(client, "DeleteRoute", bent)
        for route in wanted:
            if route not in there:
                _unless_there(client, "CreateRoute", {"RouteTableId": id_, **_api(route)})
        links = _links(live)
        for subnet, link in links.items():
            if subnet not in inputs.subnet_ids:
                _unless_gone(client, "UnlinkRouteTable", {"LinkRouteTableId": link})
        for subnet in inputs.subnet_ids:
            if subnet not in links:
                self._free(client, subnet, id_)
                _unless_there(client, "LinkRouteTable", {"RouteTableId": id_, "SubnetId": subnet})

    def _free(self, client: Client, subnet: str, keep: str) -> None:
        """A subnet uses one table: take it from another of ours, which a change of plan may have left."""
        for other in self.listed(client, LinkSubnetIds=[subnet]):
            if other["RouteTableId"] != keep and subnet in _links(other):
                _unless_gone(client, "UnlinkRouteTable", {"LinkRouteTableId": _links(other)[subnet]})

    def observed(self, live: Answer, given: Mapping[str, Any]) -> dict[str, Any]:
        return {"netId": live.get("NetId"), "subnetIds": sorted(_links(live)), "routes": _routes(live)}

    def remove(self, client: Client, live: Answer, properties: Mapping[str, Any]) -> None:
        for link in _links(live).values():
            client.read("UnlinkRouteTable", LinkRouteTableId=link)
        client.read("DeleteRouteTable", RouteTableId=live["RouteTableId"])


class RouteTable(OutscaleResource, module="outscale", name="RouteTable"):
    """Routes of some subnets."""

    provider = RouteTableProvider()


def _table(answer: Answer) -> Answer:
    made: Answer = answer["RouteTable"]
    return made


def _is_main(live: Answer) -> bool:
    return any(link.get("Main") for link in live.get("LinkRouteTables") or ())


def _links(live: Answer) -> dict[str, str]:
    """Subnet → link, of explicit links."""
    found = live.get("LinkRouteTables") or ()
    return {str(link["SubnetId"]): str(link["LinkRouteTableId"]) for link in found if link.get("SubnetId")}


def _routes(live: Answer) -> list[dict[str, Any]]:
    """Routes beside the Net's own, as inputs say them."""
    shown = []
    for route in live.get("Routes") or ():
        target = {"gatewayId": route.get("GatewayId"), "natServiceId": route.get("NatServiceId")}
        if target["gatewayId"] != "local" and route.get("DestinationIpRange"):
            kept = {key: value for key, value in target.items() if value}
            shown.append({"destinationIpRange": route["DestinationIpRange"], **kept})
    return sorted(shown, key=lambda item: str(item["destinationIpRange"]))


def _api(route: dict[str, Any]) -> Answer:
    return {key[0].upper() + key[1:]: value for key, value in route.items()}


def _unless_there(client: Client, action: str, parameters: Answer) -> None:
    """Repeating it is refused as a conflict, which then means that it is done."""
    try:
        client.settled(lambda: client.read(action, **parameters))
    except ApiError as error:
        if not error.is_conflict:
            raise


def _unless_gone(client: Client, action: str, parameters: Answer) -> None:
    """Repeating it is refused because nothing is there any more, which then means that it is done."""
    try:
        client.read(action, **parameters)
    except ApiError as error:
        if not error.is_missing:
            raise
