# SPDX-License-Identifier: MIT
"""Security groups with their rules: exactly the declared ones, whatever somebody added or removed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from .base import Provider
from .client import Answer, Client
from .errors import ApiError
from .inputs import Cidr, Inputs, Strict
from .resource import OutscaleResource

#: as the source of a rule: members of the group itself
SELF = "self"
#: where `known` keeps the names of the Net's groups
_NAMES = "_names"
_EVERYTHING = {"protocol": "-1", "ipRange": "0.0.0.0/0"}


class Rule(Strict):
    """protocol: tcp, udp, icmp, or -1 for all. from_port_range, to_port_range: ports, none for all of a protocol.

    ip_range: CIDR, or remote_group_id: whoever carries a group, by its id or, since groups may name each other, by its
    name in the same Net (ids begin with `sg-`, names never do); `self` is the group itself.
    """

    protocol: Literal["tcp", "udp", "icmp", "-1"]
    from_port_range: int | None = Field(default=None, ge=0, le=65535)
    to_port_range: int | None = Field(default=None, ge=0, le=65535)
    ip_range: Cidr | None = None
    remote_group_id: str | None = None

    @model_validator(mode="after")
    def complete(self) -> Rule:
        """One source, and a port range where there are ports."""
        if bool(self.ip_range) == bool(self.remote_group_id):
            raise ValueError("a rule needs exactly one of ipRange, remoteGroupId")
        ports = (self.from_port_range, self.to_port_range)
        if self.protocol in ("tcp", "udp") and None in ports:
            raise ValueError(f"a rule for {self.protocol} needs fromPortRange and toPortRange")
        if self.protocol in ("icmp", "-1") and ports != (None, None):
            raise ValueError(f"a rule for {self.protocol} has no ports")
        if (self.from_port_range or 0) > (self.to_port_range or 0):
            raise ValueError("fromPortRange is above toPortRange")
        return self


class SecurityGroupInputs(Inputs):
    """net_id: whose it is. group_name: unique in the Net. outbound_rules: everything when not given."""

    net_id: str
    group_name: str = Field(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9 _.:/()#,@\[\]+=&;{}!$*-]+$")
    description: str = Field(min_length=1, max_length=255)
    inbound_rules: tuple[Rule, ...] = ()
    outbound_rules: tuple[Rule, ...] = (Rule.model_validate(_EVERYTHING),)

    @field_validator("group_name")
    @classmethod
    def _no_id(cls, value: str) -> str:
        """The API keeps this beginning for ids, and we tell names from ids by it."""
        if value.startswith("sg-"):
            raise ValueError("must not begin with sg-")
        return value


class SecurityGroupProvider(Provider[SecurityGroupInputs]):
    kind = "security group"
    inputs = SecurityGroupInputs
    fixed = frozenset(("region", "netId", "groupName", "description"))
    collection, filter, key = "SecurityGroups", "SecurityGroupIds", "SecurityGroupId"
    ready = frozenset()

    def make(self, client: Client, inputs: SecurityGroupInputs) -> Answer:
        wanted = {"NetId": inputs.net_id, "SecurityGroupName": inputs.group_name, "Description": inputs.description}
        try:
            return client.once(
                lambda: _group(client.do("CreateSecurityGroup", **wanted)), lambda: self.lost(client, inputs)
            )
        except ApiError as error:
            # A group that names this one made it in the meantime.
            found = client.patiently(lambda: self.lost(client, inputs)) if error.is_conflict else None
            if found is None:
                raise
            return found

    def lost(self, client: Client, inputs: SecurityGroupInputs) -> Answer | None:
        # The Net is ours, and the API lets it have each name once.
        found = self.listed(client, NetIds=[inputs.net_id], SecurityGroupNames=[inputs.group_name])
        return found[0] if found else None

    def known(self, client: Client, id_: str) -> Answer | None:
        live = super().known(client, id_)
        return None if live is None else {**live, _NAMES: self._names(client, str(live.get("NetId")))}

    def finish(self, client: Client, live: Answer, inputs: SecurityGroupInputs) -> None:
        wanted = {"Inbound": inputs.inbound_rules, "Outbound": inputs.outbound_rules}
        for flow, rules in wanted.items():
            there, asked = _rules(live, flow), [rule.dump() for rule in rules]
            # New rules first, so that nobody is locked out in between.
            for rule in asked:
                if rule not in there:
                    self._rule(client, "Create", live, flow, self._with_id(client, live, rule, inputs))
            for rule in there:
                if rule not in asked:
                    self._rule(client, "Delete", live, flow, self._with_id(client, live, rule, inputs))

    def _with_id(
        self, client: Client, live: Answer, rule: dict[str, Any], inputs: SecurityGroupInputs
    ) -> dict[str, Any]:
        """The rule with a group's id in place of its name."""
        other = rule.get("remoteGroupId")
        if not other or other.startswith("sg-"):
            return rule
        if other == SELF:
            return {**rule, "remoteGroupId": live["SecurityGroupId"]}
        ids = {name: id_ for id_, name in self._names(client, inputs.net_id).items()}
        if other not in ids:
            # Two groups that name each other: the first one makes both, and the other's own turn takes it over.
            named = inputs.model_copy(update={"group_name": other})
            ids[other] = str(self.make(client, named)["SecurityGroupId"])
        return {**rule, "remoteGroupId": ids[other]}

    def _rule(self, client: Client, verb: str, live: Answer, flow: str, rule: dict[str, Any]) -> None:
        """Add or remove one rule. Having been done before is refused as a conflict or as missing: then it is done."""
        wanted = {"SecurityGroupId": live["SecurityGroupId"], "Flow": flow, "Rules": [_api(rule)]}
        try:
            if verb == "Create":
                client.settled(lambda: client.read("CreateSecurityGroupRule", **wanted))
            else:
                client.read("DeleteSecurityGroupRule", **wanted)
        except ApiError as error:
            if not (error.is_conflict if verb == "Create" else error.is_missing):
                raise

    def _names(self, client: Client, net: str) -> dict[str, str]:
        """Id → name of the Net's groups."""
        return {
            str(item["SecurityGroupId"]): str(item["SecurityGroupName"]) for item in self.listed(client, NetIds=[net])
        }

    def observed(self, live: Answer, given: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "netId": live.get("NetId"),
            "groupName": live.get("SecurityGroupName"),
            "description": live.get("Description"),
            "inboundRules": _rules(live, "Inbound"),
            "outboundRules": _rules(live, "Outbound"),
        }

    def remove(self, client: Client, live: Answer, properties: Mapping[str, Any]) -> None:
        own = str(live["SecurityGroupId"])
        # Rules that name a group hinder its removal, its own as well as those of others.
        for group in self.listed(client, InboundRuleSecurityGroupIds=[own]):
            for rule in _rules(group, "Inbound"):
                if rule.get("remoteGroupId") in (own, SELF):
                    pointing = {**rule, "remoteGroupId": own}
                    self._rule(client, "Delete", group, "Inbound", pointing)
        client.read("DeleteSecurityGroup", SecurityGroupId=own)


class SecurityGroup(OutscaleResource, module="outscale", name="SecurityGroup"):
    """Who may reach the hosts that carry it."""

    provider = SecurityGroupProvider()


def _group(answer: Answer) -> Answer:
    made: Answer = answer["SecurityGroup"]
    return made


def _rules(live: Answer, flow: str) -> list[dict[str, Any]]:
    """The API's grouped rules, one by one and as inputs say them: groups by name where their names are known."""
    shown = []
    names = {**live.get(_NAMES, {}), str(live.get("SecurityGroupId")): SELF}
    for group in live.get(f"{flow}Rules") or ():
        head: dict[str, Any] = {"protocol": str(group.get("IpProtocol", "-1"))}
        low, high = group.get("FromPortRange"), group.get("ToPortRange")
        # -1 twice is everything of ICMP; kinds of it, and ports of whatever else, are somebody else's
        everything = head["protocol"] == "-1" or (head["protocol"], low, high) == ("icmp", -1, -1)
        if not everything and low is not None and high is not None:
            head |= {"fromPortRange": int(low), "toPortRange": int(high)}
        shown += [{**head, "ipRange": network} for network in group.get("IpRanges") or ()]
        for member in group.get("SecurityGroupsMembers") or ():
            other = str(member.get("SecurityGroupId"))
            shown.append({**head, "remoteGroupId": names.get(other, other)})
    return sorted(shown, key=repr)


def _api(rule: dict[str, Any]) -> Answer:
    made: Answer = {"IpProtocol": rule["protocol"]}
    if "fromPortRange" in rule:
        made |= {"FromPortRange": rule["fromPortRange"], "ToPortRange": rule["toPortRange"]}
    elif rule["protocol"] == "icmp":
        made |= {"FromPortRange": -1, "ToPortRange": -1}
    if rule.get("ipRange"):
        return {**made, "IpRanges": [rule["ipRange"]]}
    return {**made, "SecurityGroupsMembers": [{"SecurityGroupId": rule["remoteGroupId"]}]}
