# SPDX-License-Identifier: MIT
"""OVHcloud, for mocks: what speaks OpenStack, and its own interface for regions, networks, keys of buckets, records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi

from tests.stacks.openstack_mocks import Cloud, identifier

REGION, PROJECT = "GRA11", "0123456789abcdef0123456789abcdef"


class Ovh(Cloud):
    """OpenStack's part of OVHcloud and its own.

    region: the inventory's. closed: whether the project has not opened it yet. refusal: what its own interface answers
    instead.
    """

    def __init__(self, *, region: str = REGION, closed: bool = False, refusal: str = "") -> None:
        super().__init__()
        self.region, self.closed, self.refusal = region, closed, refusal

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        made, state = super().new_resource(args)
        kind = args.typ.rsplit(":", 1)[-1]
        if kind == "NetworkPrivate":
            state["regionsOpenstackIds"] = {region: identifier("vrack", region) for region in args.inputs["regions"]}
        elif kind == "S3Credential":
            state |= {"accessKeyId": f"access of {args.name}", "secretAccessKey": f"secret of {args.name}"}
        return made, state

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        if args.token.startswith("ovh:"):
            assert args.token.endswith(":getRegions") and args.args == {"serviceName": PROJECT}
            if self.refusal:
                return {}, [("serviceName", self.refusal)]
            return {"id": PROJECT, "names": ["SBG5"] if self.closed else ["SBG5", self.region], "serviceName": PROJECT}
        return super().call(args)


@dataclass(frozen=True)
class Record:
    """A record that OVHcloud's zone holds."""

    id: int
    sub_domain: str
    type: str
    target: str


class Zone(Ovh):
    """records: what the zone holds. refusal: what OVHcloud's interface says of the zone instead.

    made: name → id of records that an earlier run made; in a plan the others have none yet.
    """

    def __init__(self, *records: Record, refusal: str = "", made: dict[str, int] | None = None) -> None:
        super().__init__()
        self.records, self.zone_refusal, self.made = {item.id: item for item in records}, refusal, made or {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        made, state = super().new_resource(args)
        if args.typ.endswith(":ZoneRecord"):
            return str(self.made.get(args.name, "")), state
        return made, state

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        if "getDomainZoneRecord" not in args.token:
            return super().call(args)
        assert args.args["zoneName"] == "suite.association.example"
        if self.zone_refusal:
            return {}, [("zoneName", self.zone_refusal)]
        if args.token.endswith(":getDomainZoneRecords"):
            return {"id": "suite.association.example", "ids": [float(each) for each in self.records]}
        found = self.records[int(args.args["id"])]
        return {
            "id": float(found.id),
            "subDomain": found.sub_domain,
            "fieldType": found.type,
            "target": found.target,
        }
