# SPDX-License-Identifier: MIT
"""A cloud in memory, for resources of OpenStack and of OVHcloud's own interface: a stateful TEST DOUBLE of both.

It gives ids and addresses, takes a name twice without a word, and loses connections when told to. Questions go over
HTTP to the double of OpenStack's interfaces, with nothing but the environment that a provider would have.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from tests.stacks.openstack_mocks import NOTHING, identifier
from tests.stacks.realiser import Asked, Difference, Inputs, Kept, Realiser
from tests.unit.keystone_double import PROJECT
from tests.unit.ovh_double import KEYS, OvhApi

#: OpenStack's lists → last part of a type
LISTED = {
    "servers": "Instance",
    "os-server-groups": "ServerGroup",
    "volumes": "Volume",
    "networks": "Network",
    "subnets": "Subnet",
    "routers": "Router",
    "ports": "Port",
    "security-groups": "SecGroup",
}
#: last part of a type → inputs that only another one can have. Source: `ForceNew` in terraform-provider-openstack
FIXED = {
    "Instance": frozenset(("availabilityZone", "networks", "schedulerHints")),
    "VolumeAttach": frozenset(("instanceId", "volumeId")),
}
Ending = Literal["drop", "lose", "interrupt"]


@dataclass
class Trouble:
    """What happens at the creation of a resource of `type` (its last part).

    drop: the connection breaks before anything is made. lose: after it. interrupt: the operator stops the run.
    """

    type: str
    ending: Ending = "drop"


@dataclass
class Thing:
    """Something that exists. name: as the cloud calls it, "" where it has none."""

    type: str
    name: str
    inputs: Inputs


@dataclass
class MemoryCloud(Realiser):
    """things: id → what there is. created: logical name of everything ever made, in order.

    pulled: name of each volume that was detached from a server that ran.
    """

    things: dict[str, Thing] = field(default_factory=dict)
    created: list[str] = field(default_factory=list)
    pulled: list[str] = field(default_factory=list)
    trouble: list[Trouble] = field(default_factory=list)
    where: Inputs = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def makes(self, type: str) -> bool:
        return type.startswith("openstack:")

    def provider(self, type: str, inputs: Inputs) -> None:
        if type == "pulumi:providers:openstack":
            self.where = inputs

    def call(self, token: str, args: Mapping[str, Any]) -> Inputs:
        lists: dict[str, Callable[[Any], Any]] = {
            "getNetwork": lambda cloud: cloud.network.networks(is_router_external=True),
            "getFlavor": lambda cloud: cloud.compute.flavors(),
            "getImage": lambda cloud: cloud.image.images(),
        }
        found = [item for item in self._asked(lists[token.rpartition(":")[2]]) if args.get("name") in (None, item.name)]
        if not found:
            raise LookupError(NOTHING)
        return {"id": found[0].id, "name": found[0].name, "disk": getattr(found[0], "disk", 0), "properties": {}}

    def _asked(self, ask: Callable[[Any], Any]) -> list[Any]:
        """What a list holds. Raises what the real provider says when it may not, or cannot, ask."""
        import openstack
        from keystoneauth1 import exceptions as refused

        auth_url = self.where["authUrl"]
        # the provider's default_domain, where no variable names one
        domain: dict[str, Any] = {"user_domain_id": "default", "project_domain_id": "default"}
        try:
            return list(ask(openstack.connect(auth_url=auth_url, region_name=self.where["region"], **domain)))
        except refused.Unauthorized as error:
            said = f"Expected HTTP response code [201 203] when accessing [POST {auth_url}/auth/tokens], but got 401"
            raise PermissionError(f"Error creating OpenStack client: {said} instead: {error}") from None
        except refused.EndpointNotFound:
            said = "No suitable endpoint could be found in the service catalog."
            raise LookupError(f"Error creating OpenStack client: {said}") from None
        except refused.ConnectFailure:
            raise self._lost("POST", "auth/tokens") from None

    def listed(self, kind: str) -> list[dict[str, str]]:
        """What there is of a kind, as OpenStack's lists call it (`servers`, `security-groups`)."""
        last = LISTED.get(kind, "")
        here = self.things.items()
        return [{"id": id, "name": thing.name} for id, thing in here if thing.type.rpartition(":")[2] == last]

    def find(self, kept: Kept) -> Inputs | None:
        return kept.outs if kept.id in self.things else None

    def create(self, asked: Asked, begun: Callable[[str], None]) -> tuple[str, Inputs]:
        kind = asked.type.rpartition(":")[2]
        with self.lock:
            struck = next((one for one in self.trouble if one.type == kind), None)
            if struck:
                self.trouble.remove(struck)
            if struck and struck.ending == "interrupt":
                raise KeyboardInterrupt
            if struck and struck.ending == "drop":
                raise self._lost("POST", kind)
            made = self._make(asked, kind)
        if struck:
            raise self._lost("POST", kind)
        begun(made[0])
        return made

    def _make(self, asked: Asked, kind: str) -> tuple[str, Inputs]:
        name = str(asked.inputs.get("name") or "")
        if kind == "SecGroupRule" and asked.inputs in [thing.inputs for thing in self.things.values()]:
            raise ValueError("got 409 instead: Security group rule already exists.")
        self.created.append(asked.name)
        id = identifier(asked.type, asked.name, str(len(self.created)))
        self.things[id] = Thing(asked.type, name, asked.inputs)
        return id, {**asked.inputs, **self._given(kind, asked.name)}

    def _given(self, kind: str, name: str) -> Inputs:
        number = len(self.created)
        given: dict[str, Inputs] = {
            "Port": {"allFixedIps": [f"10.64.0.{number % 200 + 10}"]},
            "FloatingIp": {"address": f"198.51.100.{number % 200 + 10}"},
            "Ec2CredentialV3": {"access": f"access of {name}", "secret": f"secret-of-{name}"},
        }
        return given.get(kind, {})

    def compare(self, kept: Kept, inputs: Inputs) -> Difference:
        changed = super().compare(kept, inputs).changed
        return Difference(changed, not FIXED.get(kept.type.rpartition(":")[2], frozenset()).isdisjoint(changed))

    def update(self, kept: Kept, inputs: Inputs) -> Inputs:
        was, wanted = int(kept.inputs.get("size", 0)), int(inputs.get("size", 0))
        if kept.type.endswith(":Volume") and wanted < was:
            # Cinder's own words
            said = f"New size for extend must be greater than current size. (current: {was}, extended: {wanted})."
            raise ValueError(f"Expected HTTP response code [202] but got 400 instead: Invalid input received: {said}")
        self.things[kept.id].inputs = inputs
        return {**kept.outs, **inputs}

    def delete(self, kept: Kept) -> None:
        """As their providers do it: a server that is to be stopped first is, then Nova detaches what it has.

        A volume is detached first where it is not yet: by `resourceBlockStorageVolumeV3Delete` of the provider.
        """
        with self.lock:
            gone = self.things[kept.id]
            for id, one in list(self.things.items()):
                server, volume = one.inputs.get("instanceId"), one.inputs.get("volumeId")
                if not one.type.endswith(":VolumeAttach") or kept.id not in (id, server, volume):
                    continue
                stopped = kept.id == server and gone.inputs.get("stopBeforeDestroy")
                if server in self.things and volume in self.things and not stopped:
                    self.pulled.append(self.things[volume].name)
                del self.things[id]
            self.things.pop(kept.id, None)

    def _lost(self, method: str, path: str) -> ConnectionError:
        """As the real provider says it: the words of its language's HTTP client."""
        where = urlsplit(self.where["authUrl"])
        address = f"{where.hostname}:{where.port}"
        said = f"read tcp 127.0.0.1:40312->{address}: read: connection reset by peer"
        return ConnectionError(f'{method} "{where.scheme}://{address}/{path}": {said}')


@dataclass
class MemoryOvh(MemoryCloud):
    """OVHcloud's own interface beside its OpenStack: keys and regions as the double of that interface has them."""

    own: OvhApi = field(default_factory=OvhApi)

    def makes(self, type: str) -> bool:
        return type.startswith(("openstack:", "ovh:"))

    def call(self, token: str, args: Mapping[str, Any]) -> Inputs:
        if not token.startswith("ovh:"):
            return super().call(token, args)
        if os.environ.get("OVH_CONSUMER_KEY") != KEYS["OVH_CONSUMER_KEY"]:
            said = '"OVHcloud API error (status code 403): Client::Forbidden: \\"This credential does not exist\\""'
            raise PermissionError(f"Error calling /cloud/project/{args['serviceName']}/region:\n\t {said}")
        return {"id": PROJECT, "names": sorted(self.own.opened), "serviceName": args["serviceName"]}

    def create(self, asked: Asked, begun: Callable[[str], None]) -> tuple[str, Inputs]:
        made = super().create(asked, begun)
        if asked.type.endswith(":ProjectRegion"):
            self.own.opened.add(asked.inputs["region"])
        return made

    def _given(self, kind: str, name: str) -> Inputs:
        given: dict[str, Inputs] = {
            "NetworkPrivate": {"regionsOpenstackIds": dict.fromkeys(self.own.opened, identifier("vrack", name))},
            "S3Credential": {"accessKeyId": f"access of {name}", "secretAccessKey": f"secret-of-{name}"},
        }
        return given.get(kind) or super()._given(kind, name)
