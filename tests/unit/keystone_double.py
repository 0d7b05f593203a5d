# SPDX-License-Identifier: MIT
"""A double of an OpenStack cloud's interfaces: sign-in, catalogue, flavors, images, networks and quota.

Nothing can be made on it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

USER, PASSWORD, PROJECT = "ops", "not-for-anyone", "9c4693dce56b493b9b83197d900f7fba"
#: of an application credential: its id, and what only it knows
APPLICATION, APPLICATION_SECRET = "b1a5f3", "nobody-is-told"

#: lists of things → where each is
KINDS = [
    *((kind, "/compute/v2.1") for kind in ("servers", "os-server-groups")),
    ("volumes", f"/volume/v3/{PROJECT}"),
    *((kind, "/network/v2.0") for kind in ("networks", "subnets", "routers", "ports", "security-groups")),
]


@dataclass
class Keystone:
    """What it knows. hide: paths that answer 404, as some clouds' do.

    others: further regions of the catalogue. flavors: name → processors, MiB, GiB of disk. cores: limit and how many
    are in use. images, external_networks, volume_types, host_zones, volume_zones: names. things: what the project has
    of a kind, with id and name.
    """

    url: str = ""
    region: str = "se-sto"
    others: tuple[str, ...] = ()
    requests: list[str] = field(default_factory=list)
    hide: tuple[str, ...] = ()
    password: str = PASSWORD
    flavors: dict[str, tuple[int, int, int]] = field(
        default_factory=lambda: {"b3-8": (2, 8000, 50), "b3-16": (4, 16000, 50)}
    )
    cores: tuple[int, int] = (20, 8)
    volume_types: tuple[str, ...] = ("classic", "encrypted")
    host_zones: tuple[str, ...] = ("nova",)
    volume_zones: tuple[str, ...] = ("nova",)
    images: tuple[str, ...] = ()
    #: id → what is shown of an image, besides what every id is answered with
    pinned: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: name → what is shown of each image of that name, besides what every one is answered with
    named: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    external_networks: tuple[str, ...] = ()
    things: Callable[[str], list[dict[str, str]]] = lambda kind: []

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any, dict[str, str]]:
        self.requests.append(f"{method} {path}")
        path, _, query = path.partition("?")
        path, wanted = path.rstrip("/"), parse_qs(query)
        if any(part in path for part in self.hide):
            return 404, {"itemNotFound": {"message": "not here", "code": 404}}, {}
        if path == "/v3/auth/tokens":
            return self._sign_in(body)
        if path.startswith("/image/v2/images/"):
            pinned = path.rpartition("/")[2]
            return 200, {"id": pinned, "min_disk": 0, "disk_format": "qcow2", **self.pinned.get(pinned, {})}, {}
        answers: dict[str, Any] = {
            "/v3": {"version": self._version("v3.14", "/v3/")},
            "/compute/v2.1": {"version": self._version("v2.1", "/compute/v2.1/", version="2.90", min_version="2.1")},
            "/compute/v2.1/flavors/detail": {"flavors": [self._flavor(name) for name in self.flavors]},
            "/compute/v2.1/limits": {"limits": {"rate": [], "absolute": self._compute()}},
            f"/volume/v3/{PROJECT}": {"versions": [self._version("v3.0", f"/volume/v3/{PROJECT}/", version="3.70")]},
            f"/volume/v3/{PROJECT}/limits": {"limits": {"rate": [], "absolute": self._volumes()}},
            "/compute/v2.1/os-availability-zone": self._zones(self.host_zones),
            f"/volume/v3/{PROJECT}/os-availability-zone": self._zones(self.volume_zones),
            f"/volume/v3/{PROJECT}/types": {"volume_types": [self._type(name) for name in self.volume_types]},
            "/network": {"versions": [self._version("v2.0", "/network/v2.0/")]},
            "/network/v2.0": {"resources": []},
            "/image": {"versions": [self._version("v2.16", "/image/v2/")]},
            "/image/v2/images": {"images": self._listed(wanted)},
            f"/network/v2.0/quotas/{PROJECT}/details": {"quota": self._networks()},
            f"/network/v2.0/quotas/{PROJECT}/details.json": {"quota": self._networks()},
        }
        answers |= {
            f"{where}/{kind}": {kind.removeprefix("os-").replace("-", "_"): self._things(kind)} for kind, where in KINDS
        }
        return (200, answers[path], {}) if path in answers else (404, {}, {})

    def _sign_in(self, body: Any) -> tuple[int, Any, dict[str, str]]:
        if not self._accepts(body["auth"]):
            return 401, {"error": {"code": 401, "message": "The request you have made requires authentication."}}, {}
        kinds = {
            "compute": f"{self.url}/compute/v2.1",
            "block-storage": f"{self.url}/volume/v3/{PROJECT}",
            "network": f"{self.url}/network",
            "image": f"{self.url}/image",
            "identity": f"{self.url}/v3",
        }
        catalogue = [
            {
                "type": kind,
                "name": kind,
                "id": kind,
                "endpoints": [
                    {"id": f"{kind}-{name}", "interface": "public", "region": name, "region_id": name, "url": url}
                    for name in (self.region, *self.others)
                ],
            }
            for kind, url in kinds.items()
        ]
        token = {
            "methods": ["password"],
            "user": {"id": "u", "name": USER, "domain": {"id": "default", "name": "Default"}},
            "project": {"id": PROJECT, "name": "p", "domain": {"id": "default", "name": "Default"}},
            "catalog": catalogue,
            "roles": [{"id": "m", "name": "member"}],
            "expires_at": "2099-01-01T00:00:00.000000Z",
            "issued_at": "2026-01-01T00:00:00.000000Z",
        }
        return 201, {"token": token}, {"X-Subject-Token": "token"}

    def _accepts(self, auth: Any) -> bool:
        """Like Keystone: a name is nobody's without its domain, and an application credential names no project."""
        identity = auth["identity"]
        if identity["methods"] == ["application_credential"]:
            given = identity["application_credential"]
            return "scope" not in auth and given == {"id": APPLICATION, "secret": APPLICATION_SECRET}
        user = identity["password"]["user"]
        known = user.get("domain") in ({"name": "Default"}, {"id": "default"})
        return known and (user["name"], user["password"]) == (USER, self.password)

    def _version(self, name: str, path: str, **more: str) -> dict[str, Any]:
        return {"id": name, "status": "CURRENT", "links": [{"rel": "self", "href": f"{self.url}{path}"}], **more}

    def _flavor(self, name: str) -> dict[str, Any]:
        vcpus, ram, disk = self.flavors[name]
        return {"id": f"id-of-{name}", "name": name, "vcpus": vcpus, "ram": ram, "disk": disk, "links": []}

    def _type(self, name: str) -> dict[str, Any]:
        return {"id": f"id-of-{name}", "name": name, "is_public": True, "extra_specs": {}}

    def _zones(self, names: tuple[str, ...]) -> dict[str, Any]:
        return {"availabilityZoneInfo": [{"zoneName": name, "zoneState": {"available": True}} for name in names]}

    def _things(self, kind: str) -> list[dict[str, Any]]:
        outside = [self._network(name) for name in self.external_networks] if kind == "networks" else []
        return [*outside, *({"project_id": PROJECT, **thing} for thing in self.things(kind))]

    def _network(self, name: str) -> dict[str, Any]:
        return {"id": f"id-of-{name}", "name": name, "router:external": True, "status": "ACTIVE"}

    def _listed(self, wanted: dict[str, list[str]]) -> list[dict[str, Any]]:
        """Images, like Glance, of the name and the status that are asked for."""
        named = [self._image(name) | more for name, each in self.named.items() for more in each]
        there = [*map(self._image, self.images), *named]
        return [one for one in there if all(one[key] in wanted.get(key, [one[key]]) for key in ("name", "status"))]

    def _image(self, name: str) -> dict[str, Any]:
        return {"id": f"id-of-{name}", "name": name, "status": "active", "disk_format": "qcow2"}

    def _compute(self) -> dict[str, int]:
        return {
            "maxTotalInstances": 10,
            "totalInstancesUsed": 3,
            "maxTotalCores": self.cores[0],
            "totalCoresUsed": self.cores[1],
            "maxTotalRAMSize": -1,
            "totalRAMUsed": 16000,
            "maxServerGroups": 10,
            "totalServerGroupsUsed": 0,
        }

    def _volumes(self) -> dict[str, int]:
        return {
            "maxTotalVolumes": 10,
            "totalVolumesUsed": 1,
            "maxTotalVolumeGigabytes": 1000,
            "totalGigabytesUsed": 100,
        }

    def _networks(self) -> dict[str, Any]:
        names = ("floatingip", "network", "subnet", "router", "port", "security_group", "security_group_rule")
        return {name: {"limit": 50, "used": 5, "reserved": 1} for name in names}


@contextmanager
def serve(keystone: Keystone) -> Iterator[Keystone]:
    """Serve it on a free port of the loopback."""

    class Handler(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, content, headers = keystone.answer(self.command, self.path, body)
            text = json.dumps(content).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = _reply

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    keystone.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield keystone
    finally:
        server.shutdown()
        server.server_close()
