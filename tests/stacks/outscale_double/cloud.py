# SPDX-License-Identifier: MIT
"""The double's memory: what exists, since when, and what the API would say about it."""

from __future__ import annotations

import copy
import fnmatch
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .refusal import Refusal, invalid, missing, too_many

Data = dict[str, Any]
#: kind → (plural in actions, name of its id, prefix of ids)
KINDS = {
    "Net": ("Nets", "NetId", "vpc"),
    "Subnet": ("Subnets", "SubnetId", "subnet"),
    "InternetService": ("InternetServices", "InternetServiceId", "igw"),
    "NatService": ("NatServices", "NatServiceId", "nat"),
    "RouteTable": ("RouteTables", "RouteTableId", "rtb"),
    "SecurityGroup": ("SecurityGroups", "SecurityGroupId", "sg"),
    "PublicIp": ("PublicIps", "PublicIpId", "eipalloc"),
    "Keypair": ("Keypairs", "KeypairId", "key"),
    "Vm": ("Vms", "VmId", "i"),
    "Volume": ("Volumes", "VolumeId", "vol"),
}
#: filter → how its values are read off an item; filters of ids and tags are common to all kinds
FILTERS: dict[str, Callable[[Data], list[Any]]] = {
    "NetIds": lambda item: [item.get("NetId")],
    "IpRanges": lambda item: [item.get("IpRange")],
    "LinkNetIds": lambda item: [item.get("NetId")],
    "LinkSubnetIds": lambda item: [link.get("SubnetId") for link in item.get("LinkRouteTables", [])],
    "SecurityGroupNames": lambda item: [item.get("SecurityGroupName")],
    "KeypairNames": lambda item: [item.get("KeypairName")],
    "ClientTokens": lambda item: [item.get("ClientToken")],
    "InboundRuleSecurityGroupIds": lambda item: [
        member["SecurityGroupId"] for rule in item["InboundRules"] for member in rule.get("SecurityGroupsMembers", [])
    ],
}


@dataclass
class Thing:
    """Something that exists. since: when it was made. due: (moment, the state it reaches then, or what changes)."""

    kind: str
    data: Data
    since: float = field(default_factory=time.monotonic)
    due: list[tuple[float, str | Data]] = field(default_factory=list)


class Cloud:
    """lag: seconds that something new stays invisible. delay: seconds that a change of state takes.

    quota: kind → how many there may be. Everything else is what actions do.
    """

    region = "eu-west-2"
    account = "123456789012"

    def __init__(self, *, lag: float = 0.0, delay: float = 0.0) -> None:
        self.lag, self.delay = lag, delay
        self.things: dict[str, Thing] = {}
        self.quota: dict[str, int] = {}
        #: how many things an answer lists at most
        self.page = 100
        #: VMs whose system does not shut down when asked to
        self.stubborn: set[str] = set()
        self.vm_types = {"tinav6.c4r16p2", "tinav6.c4r32p2", "tinav6.c2r8p2"}
        self.images = {"ami-0a1b2c3d"}
        #: what ReadImages lists
        self.catalogue: list[Data] = []
        #: quota as ReadQuotas names it → (maximum, used)
        self.quotas: dict[str, tuple[int, int]] = {}
        self.asking = self.account
        self.numbers = itertools.count(1)
        self._actions = _actions(self)

    def carry_out(self, action: str, parameters: Data) -> Data:
        """Do what an action asks. Raises Refusal; NotImplementedError where the double is not enough."""
        self._time_passes()
        if action == "ReadAccounts":
            return {"Accounts": [{"AccountId": self.asking}]}
        if action == "ReadQuotas":
            quotas = [{"Name": name, "MaxValue": most, "UsedValue": used} for name, (most, used) in self.quotas.items()]
            return {"QuotaTypes": [{"QuotaType": "global", "Quotas": quotas}]}
        if action == "ReadImages":
            patterns = parameters["Filters"]["ImageNames"]
            return {"Images": [item for item in self.catalogue if _matches(item["ImageName"], patterns)]}
        for kind, (plural, key, _) in KINDS.items():
            if action == f"Read{plural}":
                start = int(parameters.get("NextPageToken", "0"))
                found = self._read(kind, key, parameters.get("Filters") or {})
                more = {"NextPageToken": str(start + self.page)} if len(found) > start + self.page else {}
                return {plural: found[start : start + self.page], **more}
        if action not in self._actions:
            raise NotImplementedError(action)
        return self._actions[action](parameters)

    # --- for tests

    def all(self, kind: str) -> list[Data]:
        """Everything of a kind, in whatever state, seen from above."""
        self._time_passes()
        return [thing.data for thing in self.things.values() if thing.kind == kind]

    def living(self, kind: str) -> list[Data]:
        """Everything of a kind that exists."""
        return [item for item in self.all(kind) if item.get("State") not in ("terminated", "deleted", "shutting-down")]

    # --- for actions

    def add(self, kind: str, data: Data, *, due: str = "") -> Data:
        """Remember something new, under an id; `due`: the state it reaches after the delay."""
        plural, key, prefix = KINDS[kind]
        if len(self.living(kind)) >= self.quota.get(kind, 1000):
            raise too_many("10010", f"quota of {plural}")
        identity = f"{prefix}-{next(self.numbers):08x}"
        thing = Thing(kind, {key: identity, **data, "Tags": []})
        self.things[identity] = thing
        if due:
            self.later(identity, due)
        return self.shown(identity)

    def get(self, kind: str, identity: str | None) -> Data:
        """Something visible by its id. Raises the API's own refusal otherwise."""
        thing = self.things.get(str(identity))
        if thing is None or thing.kind != kind or not self._visible(thing):
            raise missing("5056", f"{kind} {identity} does not exist")
        if thing.data.get("State") in ("terminated", "deleted"):
            raise missing("5057", f"{kind} {identity} is {thing.data['State']}")
        return thing.data

    def later(self, identity: str, state: str | Data) -> None:
        """Let something reach a state, or change, after the delay."""
        self.things[identity].due.append((time.monotonic() + self.delay, state))

    def forget(self, identity: str) -> None:
        """It never existed."""
        self.things.pop(identity, None)

    def shown(self, identity: str) -> Data:
        """A copy of what is known, as the API answers it."""
        return copy.deepcopy(self.things[identity].data)

    def tag(self, identities: list[str], tags: list[Data]) -> Data:
        """Add or change tags."""
        for identity in identities:
            thing = self.things.get(identity)
            if thing is None or not self._visible(thing):
                raise missing("5016", f"{identity} does not exist")
            there = {tag["Key"]: tag["Value"] for tag in thing.data["Tags"]} | {
                tag["Key"]: tag["Value"] for tag in tags
            }
            thing.data["Tags"] = [{"Key": key, "Value": value} for key, value in there.items()]
        return {}

    def _visible(self, thing: Thing) -> bool:
        return time.monotonic() >= thing.since + self.lag

    def _time_passes(self) -> None:
        now = time.monotonic()
        for identity, thing in list(self.things.items()):
            for moment, state in [item for item in thing.due if item[0] <= now]:
                thing.due.remove((moment, state))
                if isinstance(state, dict):
                    thing.data.update(state)
                elif state == "gone":
                    self.forget(identity)
                elif state == "detached":
                    thing.data.update(State="available", LinkedVolumes=[])
                else:
                    thing.data["State"] = state
                    for link in thing.data.get("LinkedVolumes", []):
                        link["State"] = "attached"

    def _read(self, kind: str, key: str, filters: Data) -> list[Data]:
        found = [thing.data for thing in self.things.values() if thing.kind == kind and self._visible(thing)]
        for name, values in filters.items():
            if name == f"{key}s":
                if any("-" not in value for value in values):
                    raise invalid("4104", f"{values} are no ids")
                found = [item for item in found if item[key] in values]
            elif name == "Tags":
                found = [item for item in found if {f"{tag['Key']}={tag['Value']}" for tag in item["Tags"]} & {*values}]
            elif name in FILTERS:
                found = [item for item in found if {*FILTERS[name](item)} & {*values}]
            else:
                raise NotImplementedError(f"filter {name} of {kind}")
        return copy.deepcopy(found)


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _actions(cloud: Cloud) -> dict[str, Callable[[Data], Data]]:
    from . import compute, network

    found = {"CreateTags": lambda wanted: cloud.tag(wanted["ResourceIds"], wanted["Tags"])}
    for module in (network.Network(cloud), network.Addresses(cloud), compute.Hosts(cloud), compute.Volumes(cloud)):
        found |= {name: getattr(module, name) for name in dir(module) if name[0].isupper()}
    return found


__all__ = ["Cloud", "Refusal"]
