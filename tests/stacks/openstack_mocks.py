# SPDX-License-Identifier: MIT
"""A cloud that speaks OpenStack, for mocks: it has flavors, images and networks, and gives out ids and addresses."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from typing import Any

import pulumi

#: name → CPUs, MiB, GiB of disk
FLAVORS = {"b3-8": (2, 8000, 50), "b3-16": (4, 16000, 100), "b3-32": (8, 32000, 0)}
#: with Glance's own default, https://docs.openstack.org/glance/latest/admin/os_hash_algo.html
IMAGES = {"Debian 13": {"os_hash_algo": "sha512", "os_hash_value": "a" * 128}}
#: what else is told of an image, by its name
SHOWN: dict[str, dict[str, Any]] = {}
NETWORKS = ("Ext-Net",)
#: as Designate names them
ZONES = ("region-x.example.",)
NOTHING = "Your query returned no results. Please change your search criteria and try again."
_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")


def identifier(*words: str) -> str:
    """A stable id."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(words)))


class Cloud(pulumi.runtime.Mocks):
    """asked: every question the program put, as (function, arguments, provider)."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, Any], str]] = []
        self._addresses: dict[str, int] = {}
        self._lock = threading.Lock()

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        state = dict(args.inputs)
        kind = args.typ.rsplit(":", 1)[-1]
        if kind == "Port":
            state["allFixedIps"] = [f"10.64.0.{self._next('inside', 11)}"]
        elif kind == "FloatingIp":
            state["address"] = f"198.51.100.{self._next('outside', 11)}"
        elif kind == "Ec2CredentialV3":
            state |= {"access": f"access of {args.name}", "secret": f"secret of {args.name}"}
        elif kind == "ApplicationCredential":
            state["secret"] = f"secret of {args.name}"
        return identifier(args.typ, args.name), state

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        self.asked.append((args.token, args.args, args.provider))
        name = args.args.get("name")
        if args.token.endswith(":getNetwork") and (name in NETWORKS or (name is None and len(NETWORKS) == 1)):
            return {"id": identifier("network", name or NETWORKS[0]), "name": name or NETWORKS[0]}
        if args.token.endswith(":getFlavor") and name in FLAVORS:
            cpus, memory, disk = FLAVORS[name]
            return {"id": identifier("flavor", name), "name": name, "vcpus": cpus, "ram": memory, "disk": disk}
        if args.token.endswith(":getImage") and name in IMAGES:
            return {"id": identifier("image", name), "name": name, "properties": IMAGES[name], **SHOWN.get(name, {})}
        if args.token.endswith(":getDnsZone") and name in ZONES:
            return {"id": identifier("zone", name), "name": name}
        return {}, [("name", NOTHING)]

    def _next(self, pool: str, first: int) -> int:
        with self._lock:
            self._addresses[pool] = self._addresses.get(pool, first - 1) + 1
            return self._addresses[pool]
