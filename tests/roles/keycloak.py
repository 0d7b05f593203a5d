# SPDX-License-Identifier: MIT
"""A real Keycloak for tests of its role: its image on the host of the tests, reached as edge would reach it."""

from __future__ import annotations

import base64
import hmac
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import yaml
from requests.adapters import HTTPAdapter

from suite_deploy.images.resolve import resolve_local
from suite_deploy.model.loader import load
from suite_deploy.paths import machine_cache
from suite_deploy.render.render import render
from suite_deploy.verify.web import Browser
from tests.roles.box import Box, Converged

DOMAIN = "suite.example"
ORIGIN = f"https://id.{DOMAIN}"
ISSUER = f"{ORIGIN}/realms/suite"
CONSOLE = "http://localhost:8080/admin/suite/console/"
PORT, MANAGEMENT_PORT = 20020, 20021
TIMEOUT = 60
AUTOMATION = "suite-automation"
SECRETS = {
    "keycloak.automation": "automation-secret-of-the-tests-01",
    "keycloak.admin": "first-password-of-the-tests-0123",
    "keycloak.demo_alice": "alices-password-of-the-tests-012",
    "keycloak.demo_bob": "bobs-password-of-the-tests-01234",
    "notes.oidc": "client-secret-of-the-tests-01234",
}
CLIENT = {
    "client_id": "notes",
    "name": "Notes",
    "secret": SECRETS["notes.oidc"],
    "root_url": f"https://notes.{DOMAIN}",
    "redirect_uris": [f"https://notes.{DOMAIN}/callback/"],
    "post_logout_redirect_uris": [f"https://notes.{DOMAIN}/bye/"],
    "backchannel_logout_url": "",
    "web_origins": [],
    "pkce": "S256",
    "scopes": ["openid", "profile", "email", "lasuite"],
}


def variables() -> dict[str, Any]:
    """What the role is given: a suite on profile `dev` with one application."""
    return {
        "suite_name": "tests",
        "suite_domain": DOMAIN,
        "suite_profile": "dev",
        "suite_components": {"keycloak": {"ports": {"server": {"8080": PORT, "9000": MANAGEMENT_PORT}}}},
        "suite_oidc_clients": [CLIENT],
        "suite_secrets": SECRETS,
    }


class ThroughEdge(HTTPAdapter):
    """Requests for public names go to Keycloak's own port, with the headers edge would set."""

    def __init__(self, port: int, language: str):
        self._port = port
        self._language = language
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        parts = urlsplit(request.url or "")
        inner = request.copy()
        inner.url = parts._replace(scheme="http", netloc=f"127.0.0.1:{self._port}").geturl()
        if parts.scheme == "https":
            forwarded = {"Proto": "https", "Host": parts.netloc, "Port": "443", "For": "203.0.113.7"}
            inner.headers.update({f"X-Forwarded-{name}": value for name, value in forwarded.items()})
        inner.headers["Accept-Language"] = self._language
        response = super().send(inner, *args, **kwargs)
        response.url, response.request = request.url or "", request
        return response


@dataclass
class Keycloak:
    """One that runs. port: where its HTTP port is reached from here. converge: the role, with a name for the run."""

    port: int
    converge: Callable[..., Converged]
    _sessions: list[requests.Session] = field(default_factory=list)

    def browser(self, language: str = "fr") -> Browser:
        """Somebody's browser in front of edge, without cookies. language: what it asks for, empty for nothing."""
        session = requests.Session()
        session.trust_env = False
        for scheme in ("https://", "http://"):
            session.mount(scheme, ThroughEdge(self.port, language))
        self._sessions.append(session)
        return Browser(session)

    def token(self, realm: str, **grant: str) -> requests.Response:
        """Ask a realm's token endpoint."""
        url = f"http://127.0.0.1:{self.port}/realms/{realm}/protocol/openid-connect/token"
        return requests.post(url, data=grant, timeout=TIMEOUT)

    def automation(self, method: str, path: str, body: Any = None) -> requests.Response:
        """One request to the administration API as the automation client. path: below /admin/realms/."""
        grant = {"client_id": AUTOMATION, "client_secret": SECRETS["keycloak.automation"]}
        token = self.token("master", grant_type="client_credentials", **grant).json()["access_token"]
        return self.administer(token, method, path, body)

    def administer(self, token: str, method: str, path: str, body: Any = None) -> requests.Response:
        """One request to the administration API with somebody's token."""
        headers = {"Authorization": f"Bearer {token}"}
        url = f"http://127.0.0.1:{self.port}/admin/realms/{path}"
        return requests.request(method, url, json=body, headers=headers, timeout=TIMEOUT)

    def user(self, username: str) -> dict[str, Any]:
        """The account of that name."""
        found = self.automation("GET", f"suite/users?exact=true&username={username}").json()
        assert len(found) == 1, f"{len(found)} accounts named {username}"
        return dict(found[0])

    def close(self) -> None:
        for session in self._sessions:
            session.close()


def one_time_code(secret: str, moment: float | None = None) -> str:
    """RFC 6238: six digits, thirty seconds, SHA-1. secret: as the set-up page's form carries it."""
    counter = struct.pack(">Q", int((time.time() if moment is None else moment) // 30))
    digest = hmac.digest(secret.encode(), counter, "sha1")
    offset = digest[-1] & 15
    return f"{(int.from_bytes(digest[offset : offset + 4]) & 0x7FFFFFFF) % 1_000_000:06d}"


def environment(folder: Path) -> dict[str, str]:
    """The environment the component renders, with a database of its own and the host's loopback instead of a bridge."""
    inventory = folder / "suite.yml"
    wanted = {
        "schema": 1,
        "suite": "tests",
        "domain": DOMAIN,
        "profile": "dev",
        "infrastructure": {"driver": "local"},
        "components": {"keycloak": {}},
    }
    inventory.write_text(yaml.safe_dump(wanted))
    tree = render(load(str(inventory)))
    file = next(item for item in tree.files if item.component == "keycloak" and item.path.endswith("/server.env"))
    pairs = (line.split("=", 1) for line in file.content.splitlines() if "=" in line and not line.startswith("#"))
    rendered = {name: value for name, value in pairs if name != "KC_TRUSTSTORE_PATHS" and not name.startswith("KC_DB")}
    return rendered | {
        "KC_DB": "dev-mem",
        "KC_HTTP_PORT": str(PORT),
        "KC_HTTP_MANAGEMENT_PORT": str(MANAGEMENT_PORT),
        "KC_PROXY_TRUSTED_ADDRESSES": "127.0.0.1",
        "KC_BOOTSTRAP_ADMIN_CLIENT_SECRET": SECRETS["keycloak.automation"],
    }


@contextmanager
def keycloak_on(box: Box, scratch: Path) -> Iterator[Keycloak]:
    """Run the component's image on the host of the tests, empty, until the context ends."""
    values = environment(scratch)
    tag = yaml.safe_load(Path("roles/keycloak/component.yml").read_text())["images"]["server"]
    name = f"{tag['name']}:{tag['tag']}"
    registry = box.outputs.facts["registry"]
    found = resolve_local([name], registry, machine_cache(), scratch / "images.lock.yml", print)
    assert name in found.pinned, found.skipped
    lines = "\n".join(f"{key}={value}" for key, value in values.items())
    box.succeed(f"umask 077; cat > /run/test-keycloak.env <<'END'\n{lines}\nEND")
    run = "podman run --replace --detach --name test-keycloak --network host --env-file /run/test-keycloak.env"
    box.succeed(f"{run} --tls-verify=false {found.pinned[name]} start")
    try:
        ready = f"http://127.0.0.1:{MANAGEMENT_PORT}/health/ready"
        box.succeed(f"curl -sf -o /dev/null --retry 100 --retry-delay 1 --retry-all-errors --max-time 5 {ready}")
        with tunnel(box, PORT) as port:
            keycloak = Keycloak(port, lambda run, *arguments: converge(box, run, arguments))
            yield keycloak
            keycloak.close()
    finally:
        box.command("podman rm --force --time 1 test-keycloak; rm -f /run/test-keycloak.env")


def converge(box: Box, run: str, arguments: Any) -> Converged:
    return box.converge("keycloak", "default", variables(), run=run, arguments=arguments)


@contextmanager
def tunnel(box: Box, port: int) -> Iterator[int]:
    """The way an administrator takes: a local port that leads to a port on the host's loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        local = int(probe.getsockname()[1])
    forward = f"{local}:127.0.0.1:{port}"
    argv = ["ssh", "-F", str(box.ssh_config), "-S", "none", "-N", "-L", forward, box.outputs.hosts[0].name]
    with subprocess.Popen(argv) as process:
        try:
            _wait_for(local)
            yield local
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError("the SSH tunnel did not open")


def claims_of(token: str) -> Mapping[str, Any]:
    """What a JWT says; not verified, it came straight from the token endpoint."""
    import json

    payload = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))
