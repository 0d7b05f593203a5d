# SPDX-License-Identifier: MIT
"""The double's networks: who holds whom, and what the API refuses while somebody does."""

from __future__ import annotations

import ipaddress
from typing import Any

from .cloud import Cloud, Data
from .refusal import conflict, dependency, invalid, missing

_ALL = {"IpProtocol": "-1", "IpRanges": ["0.0.0.0/0"]}


class Network:
    """Nets, subnets, internet services, route tables, security groups."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def CreateNet(self, wanted: Data) -> Data:
        prefix = ipaddress.IPv4Network(wanted["IpRange"]).prefixlen
        if not 16 <= prefix <= 28:
            raise invalid("4014", wanted["IpRange"])
        net = self.cloud.add(
            "Net", {"IpRange": wanted["IpRange"], "State": "pending", "Tenancy": "default"}, due="available"
        )
        local = {"DestinationIpRange": wanted["IpRange"], "GatewayId": "local", "State": "active"}
        link = {"Main": True, "LinkRouteTableId": f"rtbassoc-{net['NetId'][4:]}", "NetId": net["NetId"]}
        self.cloud.add("RouteTable", {"NetId": net["NetId"], "Routes": [local], "LinkRouteTables": [link]})
        return {"Net": net}

    def DeleteNet(self, wanted: Data) -> Data:
        net = self.cloud.get("Net", wanted["NetId"])
        for kind in ("Subnet", "NatService", "InternetService", "SecurityGroup", "Vm"):
            if [item for item in self.cloud.living(kind) if item.get("NetId") == net["NetId"]]:
                raise dependency("1004", f"{net['NetId']} still has a {kind}")
        tables = [item for item in self.cloud.all("RouteTable") if item["NetId"] == net["NetId"]]
        if len(tables) > 1:
            raise dependency("1004", f"{net['NetId']} still has a route table")
        for table in tables:
            self.cloud.forget(table["RouteTableId"])
        self.cloud.forget(net["NetId"])
        return {}

    def CreateSubnet(self, wanted: Data) -> Data:
        net = self.cloud.get("Net", wanted["NetId"])
        range_ = ipaddress.IPv4Network(wanted["IpRange"])
        if not range_.subnet_of(ipaddress.IPv4Network(net["IpRange"])):
            raise invalid("4021", wanted["IpRange"])
        for other in self.cloud.living("Subnet"):
            if other["NetId"] == net["NetId"] and range_.overlaps(ipaddress.IPv4Network(other["IpRange"])):
                raise conflict("9058", "subnet-conflict")
        zone = wanted.get("SubregionName", f"{self.cloud.region}a")
        data = {"NetId": net["NetId"], "IpRange": wanted["IpRange"], "SubregionName": zone, "State": "pending"}
        return {"Subnet": self.cloud.add("Subnet", data, due="available")}

    def DeleteSubnet(self, wanted: Data) -> Data:
        subnet = self.cloud.get("Subnet", wanted["SubnetId"])["SubnetId"]
        for kind in ("Vm", "NatService"):
            if [item for item in self.cloud.living(kind) if item.get("SubnetId") == subnet]:
                raise dependency("1003", f"{subnet} still has a {kind}")
        self.cloud.forget(subnet)
        return {}

    def CreateInternetService(self, wanted: Data) -> Data:
        return {"InternetService": self.cloud.add("InternetService", {})}

    def LinkInternetService(self, wanted: Data) -> Data:
        service, net = (
            self.cloud.get("InternetService", wanted["InternetServiceId"]),
            self.cloud.get("Net", wanted["NetId"]),
        )
        if service.get("NetId"):
            raise conflict("9024", "gateway-is-already-attached")
        service.update(NetId=net["NetId"], State="available")
        return {}

    def UnlinkInternetService(self, wanted: Data) -> Data:
        service = self.cloud.get("InternetService", wanted["InternetServiceId"])
        if service.get("NetId") != wanted["NetId"]:
            raise conflict("9027", "gateway-not-attached")
        inside = {item["VmId"] for item in self.cloud.living("Vm") if item["NetId"] == wanted["NetId"]}
        if [item for item in self.cloud.all("PublicIp") if item.get("VmId") in inside]:
            raise dependency("1008", "a VM of the Net has a public IP")
        service.pop("NetId"), service.pop("State")
        return {}

    def DeleteInternetService(self, wanted: Data) -> Data:
        service = self.cloud.get("InternetService", wanted["InternetServiceId"])
        if service.get("NetId"):
            raise dependency("1009", "the internet service is linked")
        self.cloud.forget(service["InternetServiceId"])
        return {}

    def CreateRouteTable(self, wanted: Data) -> Data:
        net = self.cloud.get("Net", wanted["NetId"])
        local = {"DestinationIpRange": net["IpRange"], "GatewayId": "local", "State": "active"}
        data = {"NetId": net["NetId"], "Routes": [local], "LinkRouteTables": []}
        return {"RouteTable": self.cloud.add("RouteTable", data)}

    def DeleteRouteTable(self, wanted: Data) -> Data:
        table = self.cloud.get("RouteTable", wanted["RouteTableId"])
        if table["LinkRouteTables"]:
            raise dependency("1010", "the route table is linked")
        self.cloud.forget(table["RouteTableId"])
        return {}

    def CreateRoute(self, wanted: Data) -> Data:
        table = self.cloud.get("RouteTable", wanted["RouteTableId"])
        if [route for route in table["Routes"] if route["DestinationIpRange"] == wanted["DestinationIpRange"]]:
            raise conflict("9052", "route-already-exists")
        if wanted.get("GatewayId"):
            service = self.cloud.get("InternetService", wanted["GatewayId"])
            if service.get("NetId") != table["NetId"]:
                raise invalid("4006", "the internet service is not of this Net")
        else:
            self.cloud.get("NatService", wanted.get("NatServiceId"))
        route = {key: value for key, value in wanted.items() if key != "RouteTableId"}
        table["Routes"].append({**route, "State": "active", "CreationMethod": "CreateRoute"})
        return {"RouteTable": self.cloud.shown(table["RouteTableId"])}

    def DeleteRoute(self, wanted: Data) -> Data:
        table = self.cloud.get("RouteTable", wanted["RouteTableId"])
        kept = [route for route in table["Routes"] if route["DestinationIpRange"] != wanted["DestinationIpRange"]]
        if len(kept) == len(table["Routes"]):
            raise missing("5050", "no such route")
        table["Routes"] = kept
        return {"RouteTable": self.cloud.shown(table["RouteTableId"])}

    def LinkRouteTable(self, wanted: Data) -> Data:
        table, subnet = (
            self.cloud.get("RouteTable", wanted["RouteTableId"]),
            self.cloud.get("Subnet", wanted["SubnetId"]),
        )
        for other in self.cloud.all("RouteTable"):
            if [link for link in other["LinkRouteTables"] if link.get("SubnetId") == subnet["SubnetId"]]:
                raise conflict("9059", "subnet-is-associated")
        link = {
            "LinkRouteTableId": f"rtbassoc-{next(self.cloud.numbers):08x}",
            "Main": False,
            "RouteTableId": table["RouteTableId"],
            "SubnetId": subnet["SubnetId"],
        }
        table["LinkRouteTables"].append(link)
        return {"LinkRouteTableId": link["LinkRouteTableId"]}

    def UnlinkRouteTable(self, wanted: Data) -> Data:
        for table in self.cloud.all("RouteTable"):
            links = table["LinkRouteTables"]
            kept = [link for link in links if link["LinkRouteTableId"] != wanted["LinkRouteTableId"] or link["Main"]]
            if len(kept) < len(links):
                table["LinkRouteTables"] = kept
                return {}
        raise missing("5080", "no such link")

    def CreateSecurityGroup(self, wanted: Data) -> Data:
        net = self.cloud.get("Net", wanted.get("NetId"))
        name = wanted["SecurityGroupName"]
        for other in self.cloud.all("SecurityGroup"):
            if other["NetId"] == net["NetId"] and other["SecurityGroupName"] == name:
                raise conflict("9008", "duplicate-group")
        data = {
            "NetId": net["NetId"],
            "SecurityGroupName": name,
            "Description": wanted["Description"],
            "InboundRules": [],
            "OutboundRules": [dict(_ALL)],
            "AccountId": self.cloud.account,
        }
        return {"SecurityGroup": self.cloud.add("SecurityGroup", data)}

    def DeleteSecurityGroup(self, wanted: Data) -> Data:
        own = self.cloud.get("SecurityGroup", wanted["SecurityGroupId"])["SecurityGroupId"]
        users = [item for item in self.cloud.living("Vm") if own in _ids(item["SecurityGroups"])]
        named = [
            item
            for item in self.cloud.all("SecurityGroup")
            if item["SecurityGroupId"] != own
            and [rule for rule in item["InboundRules"] if own in _ids(rule.get("SecurityGroupsMembers", []))]
        ]
        if users or named:
            raise conflict("9085", f"{own} is used by {(users + named)[0]}"[:200])
        self.cloud.forget(own)
        return {}

    def CreateSecurityGroupRule(self, wanted: Data) -> Data:
        group = self.cloud.get("SecurityGroup", wanted["SecurityGroupId"])
        there = group[f"{wanted['Flow']}Rules"]
        for rule in wanted["Rules"]:
            for member in _ids(rule.get("SecurityGroupsMembers", [])):
                self.cloud.get("SecurityGroup", member)
            if [item for item in there if _covers(item, rule)]:
                raise conflict("9016", "the rule exists")
            same = next((item for item in there if _head(item) == _head(rule)), None)
            if same is None:
                there.append(_head(rule))
                same = there[-1]
            # The API shows rules of one protocol and range together.
            same.setdefault("IpRanges", []).extend(rule.get("IpRanges", []))
            same.setdefault("SecurityGroupsMembers", []).extend(rule.get("SecurityGroupsMembers", []))
        return {"SecurityGroup": self.cloud.shown(group["SecurityGroupId"])}

    def DeleteSecurityGroupRule(self, wanted: Data) -> Data:
        group = self.cloud.get("SecurityGroup", wanted["SecurityGroupId"])
        key = f"{wanted['Flow']}Rules"
        for rule in wanted["Rules"]:
            same = next((item for item in group[key] if _covers(item, rule)), None)
            if same is None:
                raise missing("5008", "no-such-authorization")
            same["IpRanges"] = [item for item in same.get("IpRanges", []) if item not in rule.get("IpRanges", [])]
            gone = _ids(rule.get("SecurityGroupsMembers", []))
            members = same.get("SecurityGroupsMembers", [])
            same["SecurityGroupsMembers"] = [item for item in members if item["SecurityGroupId"] not in gone]
            if not same["IpRanges"] and not same["SecurityGroupsMembers"]:
                group[key].remove(same)
        return {"SecurityGroup": self.cloud.shown(group["SecurityGroupId"])}


class Addresses:
    """Public addresses and NAT services."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def CreatePublicIp(self, wanted: Data) -> Data:
        return {"PublicIp": self.cloud.add("PublicIp", {"PublicIp": f"203.0.113.{next(self.cloud.numbers) % 250 + 1}"})}

    def DeletePublicIp(self, wanted: Data) -> Data:
        address = self.cloud.get("PublicIp", wanted.get("PublicIpId"))
        if address.get("LinkPublicIpId") or address.get("NatServiceId"):
            raise conflict("9029", "the address is used")
        self.cloud.forget(address["PublicIpId"])
        return {}

    def LinkPublicIp(self, wanted: Data) -> Data:
        address = self._address(wanted)
        host = self.cloud.get("Vm", wanted["VmId"])
        doors = [item for item in self.cloud.all("InternetService") if item.get("NetId") == host["NetId"]]
        if not doors:
            raise invalid("4006", "the Net has no internet service")
        if address.get("VmId") not in (None, host["VmId"]) and not wanted.get("AllowRelink"):
            raise conflict("9031", "locked-address")
        if address.get("VmId"):
            release(self.cloud, address)
        link = f"eipassoc-{next(self.cloud.numbers):08x}"
        address.update(VmId=host["VmId"], LinkPublicIpId=link, PrivateIp=host["PrivateIp"])
        host["PublicIp"] = address["PublicIp"]
        return {"LinkPublicIpId": link}

    def UnlinkPublicIp(self, wanted: Data) -> Data:
        for address in self.cloud.all("PublicIp"):
            if address.get("LinkPublicIpId") == wanted.get("LinkPublicIpId"):
                release(self.cloud, address)
                return {}
        raise missing("5025", "no such link")

    def CreateNatService(self, wanted: Data) -> Data:
        for other in self.cloud.all("NatService"):
            if other["ClientToken"] == wanted.get("ClientToken"):
                return {"NatService": self.cloud.shown(other["NatServiceId"])}
        subnet = self.cloud.get("Subnet", wanted["SubnetId"])
        address = self.cloud.get("PublicIp", wanted["PublicIpId"])
        if not self._public(subnet["SubnetId"]):
            raise conflict("9045", "not-public-subnet")
        if address.get("VmId") or address.get("NatServiceId"):
            raise conflict("9031", "locked-address")
        data = {
            "ClientToken": wanted["ClientToken"],
            "NetId": subnet["NetId"],
            "SubnetId": subnet["SubnetId"],
            "State": "pending",
            "PublicIps": [{"PublicIp": address["PublicIp"], "PublicIpId": address["PublicIpId"]}],
        }
        made = self.cloud.add("NatService", data, due="available")
        address["NatServiceId"] = made["NatServiceId"]
        return {"NatService": made}

    def DeleteNatService(self, wanted: Data) -> Data:
        service = self.cloud.get("NatService", wanted["NatServiceId"])
        service["State"] = "deleting"
        self.cloud.later(service["NatServiceId"], "deleted")
        for address in self.cloud.all("PublicIp"):
            if address.get("NatServiceId") == service["NatServiceId"]:
                address.pop("NatServiceId")
        return {}

    def _public(self, subnet: str) -> bool:
        for table in self.cloud.all("RouteTable"):
            if [link for link in table["LinkRouteTables"] if link.get("SubnetId") == subnet]:
                return any(str(route.get("GatewayId", "")).startswith("igw-") for route in table["Routes"])
        return False

    def _address(self, wanted: Data) -> Data:
        for address in self.cloud.all("PublicIp"):
            if wanted.get("PublicIp") == address["PublicIp"] or wanted.get("PublicIpId") == address["PublicIpId"]:
                return address
        raise missing("5025", "no such address")


def release(cloud: Cloud, address: Data) -> None:
    """Take an address from its host."""
    host = cloud.things.get(address["VmId"])
    if host:
        host.data.pop("PublicIp", None)
    for key in ("VmId", "LinkPublicIpId", "PrivateIp"):
        address.pop(key, None)


def _ids(members: list[Data]) -> list[Any]:
    return [member["SecurityGroupId"] for member in members]


def _head(rule: Data) -> Data:
    if rule["IpProtocol"] == "-1":
        return {"IpProtocol": "-1"}
    return {key: rule[key] for key in ("IpProtocol", "FromPortRange", "ToPortRange") if key in rule}


def _covers(there: Data, rule: Data) -> bool:
    return (
        _head(there) == _head(rule)
        and {*rule.get("IpRanges", [])} <= {*there.get("IpRanges", [])}
        and {*_ids(rule.get("SecurityGroupsMembers", []))} <= {*_ids(there.get("SecurityGroupsMembers", []))}
    )
