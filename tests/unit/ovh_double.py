# SPDX-License-Identifier: MIT
"""A double of OVHcloud's own interface: checks who asks, and tells of one project's regions and quota."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest

from suite_deploy.cloud import ovhapi

from .keystone_double import PROJECT

KEYS = {
    "OVH_APPLICATION_KEY": "the-application",
    "OVH_APPLICATION_SECRET": "its-hidden-half",
    "OVH_CONSUMER_KEY": "the-consumer",
}
ACCOUNT = {"OVH_CLIENT_ID": "EU.an-account", "OVH_CLIENT_SECRET": "hidden-of-the-account"}
TOKEN = "a-token-for-an-hour"
#: seconds its clock is ahead of ours: signatures follow its clock
AHEAD = 4000


@dataclass
class OvhApi:
    """opened, closed: regions. busy: how often an open region says that it does not work yet.

    granted: whether the keys may ask. hide: paths that they may not. moved: where else it sends everybody.
    broken: what to answer to everything, as (status, text).
    """

    url: str = ""
    opened: set[str] = field(default_factory=lambda: {"GRA11", "SBG5"})
    closed: set[str] = field(default_factory=lambda: {"EU-WEST-PAR"})
    vrack: str = "pn-1234"
    gateways: tuple[int, int] | None = (2, 0)
    busy: int = 0
    granted: bool = True
    hide: tuple[str, ...] = ()
    moved: str = ""
    broken: tuple[int, str] | None = None
    delay: float = 0.0
    requests: list[str] = field(default_factory=list)

    def answer(self, method: str, path: str, headers: Mapping[str, str], form: Mapping[str, str]) -> tuple[int, Any]:
        self.requests.append(f"{method} {path}")
        time.sleep(self.delay)
        if self.broken:
            return self.broken
        if self.moved and not path.startswith("/elsewhere"):
            return 302, {}
        if path == "/token":
            known = {"client_id": ACCOUNT["OVH_CLIENT_ID"], "client_secret": ACCOUNT["OVH_CLIENT_SECRET"]}
            good = known.items() <= form.items() and form["grant_type"] == "client_credentials"
            return (200, {"access_token": TOKEN}) if good else (401, {"error": "invalid_client"})
        if path == "/1.0/auth/time":
            return 200, int(time.time()) + AHEAD
        refused = self._refused(method, path, headers)
        if refused:
            return 403 if refused != "Invalid signature" else 400, {"message": refused, "class": "Client::Forbidden"}
        base = f"/1.0/cloud/project/{PROJECT}"
        if not path.startswith(base):
            return 404, {"message": "This service does not exist", "class": "Client::NotFound"}
        return self._project(path.removeprefix(base))

    def _project(self, path: str) -> tuple[int, Any]:
        if path == "/region":
            return 200, sorted(self.opened)
        if path == "/regionAvailable":
            return 200, [{"name": name, "continentCode": "EU"} for name in sorted(self.closed)]
        if path.startswith("/region/"):
            self.busy -= 1
            return 200, {"name": path.removeprefix("/region/"), "status": "DOWN" if self.busy >= 0 else "UP"}
        if path == "/vrack" and self.vrack:
            return 200, {"id": self.vrack, "name": "", "description": ""}
        if path == "/quota":
            limits = {"maxGateways": self.gateways[0], "usedGateways": self.gateways[1]} if self.gateways else {}
            return 200, [{"region": name, "network": {"maxNetworks": 9, **limits}} for name in sorted(self.opened)]
        return 404, {"message": "The requested object does not exist", "class": "Client::NotFound"}

    def _refused(self, method: str, path: str, headers: Mapping[str, str]) -> str:
        """What is wrong with who asks; "" when nothing is."""
        if not self.granted or path.endswith(self.hide or ("\n",)):
            return "This call has not been granted"
        bearer = headers.get("Authorization", "")
        if bearer:
            return "" if bearer == f"Bearer {TOKEN}" else "This token is invalid"
        if headers.get("X-Ovh-Application") != KEYS["OVH_APPLICATION_KEY"]:
            return "This application key is invalid"
        if headers.get("X-Ovh-Consumer") != KEYS["OVH_CONSUMER_KEY"]:
            return "This credential does not exist"
        stamp = headers.get("X-Ovh-Timestamp", "0")
        words = (KEYS["OVH_APPLICATION_SECRET"], KEYS["OVH_CONSUMER_KEY"], method, self.url + path, "", stamp)
        wanted = "$1$" + hashlib.sha1("+".join(words).encode(), usedforsecurity=False).hexdigest()
        late = abs(int(stamp) - time.time() - AHEAD) > 30
        return "Invalid signature" if late or headers.get("X-Ovh-Signature") != wanted else ""


@contextmanager
def serve_ovh(api: OvhApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[OvhApi]:
    """Serve it on a free port of the loopback, in place of OVHcloud's own."""

    class Handler(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            status, content = api.answer(self.command, self.path, dict(self.headers), form)
            text = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.send_response(status)
            self.send_header("X-OVH-QUERYID", "EU.ext-1.test")
            if api.moved:
                self.send_header("Location", api.moved)
            self.send_header("Content-Length", str(len(text)))
            # who asked may have given up
            with suppress(ConnectionError):
                self.end_headers()
                self.wfile.write(text)

        do_GET = do_POST = _reply

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api.url = f"http://127.0.0.1:{server.server_port}"
    for name in ovhapi.API:
        monkeypatch.setitem(ovhapi.API, name, f"{api.url}/1.0")
        monkeypatch.setitem(ovhapi.TOKENS, name, f"{api.url}/token")
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
