# SPDX-License-Identifier: MIT
"""The double of lk-jwt-service asks homeservers and makes rooms for real, and refuses what the real one refuses."""

from __future__ import annotations

import datetime
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.checkout import ROOT, module_at
from tests.unit.livekit_server import KEY, SECRET, Running, free_ports, run, token

FOLDER = ROOT / "tests" / "doubles" / "lk-jwt"
GOOD = {
    "LIVEKIT_URL": "wss://livekit-rtc.suite.example",
    "LIVEKIT_KEY": KEY,
    "LIVEKIT_SECRET": SECRET,
    "LIVEKIT_FULL_ACCESS_HOMESERVERS": "suite.example",
}


SETTINGS = module_at(FOLDER / "lkjwt_settings.py")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"LIVEKIT_URL": ""}, "LIVEKIT_URL must be set"),
        ({"LIVEKIT_KEY": ""}, "LIVEKIT_KEY*"),
        ({"LIVEKIT_SECRET": ""}, "LIVEKIT_SECRET*"),
        ({"LIVEKIT_SECRET": "", "LIVEKIT_SECRET_FROM_FILE": "/nowhere"}, "LIVEKIT_SECRET_FROM_FILE"),
        ({"LIVEKIT_KEY_FILE": "/nowhere"}, "LIVEKIT_KEY_FILE"),
        ({"LIVEKIT_FULL_ACCESS_HOMESERVERS": ""}, "LIVEKIT_FULL_ACCESS_HOMESERVERS"),
        ({"LIVEKIT_JWT_BIND": ":8080", "LIVEKIT_JWT_PORT": "8080"}, "must not be set together"),
        ({"LIVEKIT_JWT_BIND": "here"}, "LIVEKIT_JWT_BIND"),
        ({"LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS": "often"}, "LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS"),
        ({"LIVEKIT_INSECURE_SKIP_VERIFY_TLS": "YES_I_KNOW_WHAT_I_AM_DOING"}, "LIVEKIT_INSECURE_SKIP_VERIFY_TLS"),
        ({"LIVEKIT_FULL_ACCESS_HOMESERVER": "suite.example"}, "LIVEKIT_FULL_ACCESS_HOMESERVER: "),
    ],
)
def test_wrong_setting_is_refused_by_name(changes: dict[str, str], said: str) -> None:
    with pytest.raises(SETTINGS.Refused) as raised:
        SETTINGS.read(GOOD | changes)
    assert said in str(raised.value)


def test_known_variables_are_those_of_the_contract() -> None:
    listed = (ROOT / "tests" / "contract" / "lk-jwt-variables.txt").read_text().splitlines()
    assert {name for name in listed if name.startswith("LIVEKIT_")} == SETTINGS.NAMES


def test_what_the_product_renders_is_accepted(tmp_path: Path) -> None:
    from suite_deploy.render.render import render
    from tests.contract.support import deployment_of, environment

    tree = render(deployment_of(tmp_path, {"synapse": {}, "lk-jwt": {}}))
    variables, files = environment(tree, "lk-jwt", "service"), tree.config_files("lk-jwt")
    for name in ("key", "secret"):
        (tmp_path / name).write_text(files[name])
        variables[f"LIVEKIT_{name.upper()}_FROM_FILE"] = str(tmp_path / name)
    found = SETTINGS.read(variables)
    assert (found.key, found.secret, found.port) == ("livekit-rtc", files["secret"], 8080)
    assert found.makes_rooms_for("media.example") and not found.makes_rooms_for("other.example")


class Homeserver(BaseHTTPRequestHandler):
    """Answers who a token belongs to."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        known = parse_qs(url.query).get("access_token") == ["good"]
        found = known and url.path == "/_matrix/federation/v1/openid/userinfo"
        body = json.dumps(
            {"sub": f"@alice:{self.headers['Host']}"} if found else {"errcode": "M_UNKNOWN_TOKEN"}
        ).encode()
        self.send_response(200 if found else 401)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for `localhost` that is its own authority, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    today = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "key.pem").write_bytes(pem)
    return folder / "ca.pem", folder / "key.pem"


class Service:
    def __init__(self, url: str, server_name: str, media: Running):
        self.url, self.server_name, self.media = url, server_name, media

    def ask(self, proof: str = "good", user: str = "alice", **more: Any) -> requests.Response:
        body = {
            "room_id": "!room:suite.example",
            "slot_id": "m.call#ROOM",
            "openid_token": {"access_token": proof, "matrix_server_name": self.server_name, "expires_in": 3600},
            "member": {"id": "m1", "claimed_user_id": f"@{user}:{self.server_name}", "claimed_device_id": "D"},
            **more,
        }
        return requests.post(f"{self.url}/get_token", json=body, timeout=15)


def started(environment: dict[str, str]) -> Iterator[str]:
    (port,) = free_ports(1)
    environment = {"PATH": os.environ["PATH"], "LIVEKIT_JWT_BIND": f"127.0.0.1:{port}", **environment}
    process = subprocess.Popen([sys.executable, str(FOLDER / "lkjwt_double.py")], env=environment)
    try:
        deadline = time.monotonic() + 20
        while True:
            assert process.poll() is None, "it did not start"
            try:
                assert requests.get(f"http://127.0.0.1:{port}/healthz", timeout=1).status_code == 200
                break
            except requests.ConnectionError:
                assert time.monotonic() < deadline, "it does not answer"
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=10)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("lk-jwt")
    authority, key = certificate(folder)
    homeserver = HTTPServer(("127.0.0.1", 0), Homeserver)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, key)
    homeserver.socket = context.wrap_socket(homeserver.socket, server_side=True)
    threading.Thread(target=homeserver.serve_forever, daemon=True).start()
    name = f"localhost:{homeserver.server_port}"
    for media in run(folder):
        here = GOOD | {"LIVEKIT_URL": media.url.replace("http", "ws"), "LIVEKIT_FULL_ACCESS_HOMESERVERS": name}
        for url in started(here | {"SSL_CERT_FILE": str(authority)}):
            yield Service(url, name, media)
    homeserver.shutdown()


def test_caller_gets_a_token_that_the_media_server_takes(service: Service) -> None:
    from livekit import api

    answer = service.ask()
    assert answer.status_code == 200, answer.text
    assert answer.json()["url"] == service.media.url.replace("http", "ws")
    claims = api.TokenVerifier(KEY, SECRET).verify(answer.json()["jwt"])
    assert claims.video and claims.video.room_join and not claims.video.room_create
    assert claims.video.room and "!room" not in claims.video.room and "alice" not in claims.identity
    assert service.media.validate(answer.json()["jwt"]).text == "success", "the room was not made"
    rooms = service.media.call("ListRooms", token(room_list=True), {}).json()["rooms"]
    assert claims.video.room in [room["name"] for room in rooms]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("wish", "status", "code"),
    [
        ({"proof": "stolen"}, 401, "M_UNAUTHORIZED"),
        ({"user": "bob"}, 401, "M_UNAUTHORIZED"),
        ({"slot_id": ""}, 400, "M_BAD_JSON"),
        ({"member": {"id": "m1"}}, 400, "M_BAD_JSON"),
        ({"openid_token": {"access_token": "good"}}, 400, "M_BAD_JSON"),
        ({"colour": "blue"}, 400, "M_NOT_JSON"),
    ],
)
def test_who_may_not_call_is_told_why(service: Service, wish: dict[str, Any], status: int, code: str) -> None:
    answer = service.ask(**wish)
    assert (answer.status_code, answer.json()["errcode"]) == (status, code)


def test_events_count_only_with_the_media_servers_signature(service: Service) -> None:
    from livekit import api

    body = '{"event":"room_started"}'
    url = f"{service.url}/sfu_webhook"
    assert requests.post(url, data=body, timeout=10).status_code == 401
    foreign = api.AccessToken("somebody", "x" * 64).with_sha256("x").to_jwt()
    assert requests.post(url, data=body, headers={"Authorization": foreign}, timeout=10).status_code == 401


def test_homeserver_that_nobody_vouches_for_is_not_believed(service: Service) -> None:
    here = GOOD | {"LIVEKIT_URL": service.media.url, "LIVEKIT_FULL_ACCESS_HOMESERVERS": service.server_name}
    for url in started(here):
        assert Service(url, service.server_name, service.media).ask().status_code == 401
