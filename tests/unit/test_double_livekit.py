# SPDX-License-Identifier: MIT
"""The double of LiveKit refuses what the real server refuses, and keeps its door as the real one does."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.checkout import ROOT, module_at
from tests.unit.livekit_server import FOLDER, KEY, SECRET, Running, configuration, run, start, token

BINDING, ALLOCATE = b"\x00\x01", b"\x00\x03"


SETTINGS = module_at(FOLDER / "livekit_settings.py")


def complaint(folder: Path, content: dict[str, Any]) -> str:
    """What reading the settings says, without starting."""
    path = folder / "livekit.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(SETTINGS.Refused) as raised:
        SETTINGS.read(path)
    return str(raised.value)


def refusal(folder: Path, content: dict[str, Any]) -> str:
    process = start(folder, content)
    try:
        _, said = process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail("it started")
    assert process.returncode == 1
    assert len(said.strip().splitlines()) == 1, said
    return said


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    yield from run(tmp_path_factory.mktemp("livekit"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rtc__node_ipp": "127.0.0.1"}, "field rtc.node_ipp not found"),
        ({"colour": "blue"}, "field colour not found"),
        ({"key_file": None}, "key_file or keys must be provided"),
        ({"key_file": "/nowhere/keys.yaml"}, "key_file"),
        ({"rtc__node_ip": None}, "rtc.node_ip"),
        ({"rtc__node_ip": "here"}, "rtc.node_ip: invalid ip 'here'"),
        ({"rtc__use_external_ip": True}, "rtc.use_external_ip"),
        ({"rtc__udp_port": "7890-7880"}, "end port 7880 must be greater"),
        ({"rtc__udp_port": None}, "rtc.udp_port"),
        ({"turn__domain": None}, "TURN domain required"),
        ({"turn__domain": "turn"}, "TURN domain is not correct"),
        ({"turn__external_tls": None}, "TURN tls cert required"),
        ({"turn__tls_port": None, "turn__udp_port": None}, "invalid TURN ports"),
        ({"turn__allow_restricted_peer_cidrs": ["10.0.0.0/64"]}, "allow_restricted_peer_cidrs"),
        ({"webhook__urls": ["https://meet.suite.example/hook"]}, "webhook.api_key"),
        ({"webhook__urls": ["https://x.example/"], "webhook__api_key": "somebody"}, "webhook.api_key"),
    ],
)
def test_wrong_setting_is_refused_by_name(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    assert said in complaint(tmp_path, configuration(tmp_path, **changes))


def test_address_that_no_interface_has_is_refused(tmp_path: Path) -> None:
    found = refusal(tmp_path, configuration(tmp_path, rtc__ips__includes=["198.51.100.0/24"]))
    assert found.startswith("livekit: rtc.ips.includes")


def test_key_file_that_everyone_may_read_is_refused(tmp_path: Path) -> None:
    content = configuration(tmp_path)
    (tmp_path / "keys.yaml").chmod(0o444)
    assert "readable or writable by others" in complaint(tmp_path, content)


def test_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    content = configuration(tmp_path)
    with socket.create_server(("", content["rtc"]["tcp_port"])):
        assert "rtc.tcp_port" in refusal(tmp_path, content)


def test_known_keys_are_those_of_the_contract() -> None:
    listed = (ROOT / "tests" / "contract" / "livekit-keys.txt").read_text().splitlines()
    assert (FOLDER / "keys.txt").read_text().splitlines() == [line for line in listed if not line.startswith("#")]


def test_what_the_product_renders_is_accepted(tmp_path: Path) -> None:
    from suite_deploy.render.render import render
    from tests.contract.support import deployment_of

    rendered = render(deployment_of(tmp_path, {"synapse": {}, "lk-jwt": {}})).config_files("livekit-rtc")
    content = yaml.safe_load(rendered["livekit.yaml"].replace("192.0.2.1", "127.0.0.1"))
    keys = tmp_path / "real-keys.yaml"
    keys.write_text(rendered["keys.yaml"].replace("@secret:livekit-rtc.api_secret@", SECRET))
    keys.chmod(0o400)
    (tmp_path / "livekit.yaml").write_text(yaml.safe_dump({**content, "key_file": str(keys)}))
    found = SETTINGS.read(tmp_path / "livekit.yaml")
    assert found.keys == {"livekit-rtc": SECRET} and not found.auto_create


def test_every_declared_port_listens(server: Running) -> None:
    rtc, turn = server.content["rtc"], server.content["turn"]
    for port in (server.content["port"], rtc["tcp_port"], turn["tls_port"]):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    for port in (rtc["udp_port"], turn["udp_port"]):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, pytest.raises(OSError, match="in use"):
            udp.bind(("127.0.0.1", port))


def stun(kind: bytes) -> bytes:
    return kind + b"\x00\x00" + b"\x21\x12\xa4\x42" + b"twelve bytes"


def test_turn_answers_stun_and_relays_for_nobody_without_credentials(server: Running) -> None:
    turn = server.content["turn"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(5)
        udp.sendto(stun(BINDING), ("127.0.0.1", turn["udp_port"]))
        assert udp.recv(1000)[:2] == b"\x01\x01"
        udp.sendto(stun(ALLOCATE), ("127.0.0.1", turn["udp_port"]))
        refused = udp.recv(1000)
        assert refused[:2] == b"\x01\x13" and b"livekit" in refused and b"Unauthorized" in refused
    with socket.create_connection(("127.0.0.1", turn["tls_port"]), timeout=5) as tcp:
        tcp.sendall(stun(BINDING))
        assert tcp.recv(1000)[:2] == b"\x01\x01"


def test_only_tokens_of_its_own_key_count(server: Running) -> None:
    grants = {"room_join": True, "room": "any"}
    assert server.validate().status_code == 401
    assert server.validate("no token at all").status_code == 401
    assert server.validate(token(secret="t" * 64, **grants)).status_code == 401
    foreign = server.validate(token(key="livekit-rtc", **grants))
    assert (foreign.status_code, foreign.text) == (401, "invalid API key: livekit-rtc")
    assert server.validate(token(room="any")).status_code == 401, "without the grant to join"
    unsigned = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode().rstrip("=")
    claims = base64.urlsafe_b64encode(json.dumps({"iss": KEY, "video": grants}).encode()).decode().rstrip("=")
    assert server.validate(f"{unsigned}.{claims}.").status_code == 401


def test_room_must_be_there_when_joining_makes_none(server: Running) -> None:
    joining = token(room_join=True, room="council")
    missing = server.validate(joining)
    assert (missing.status_code, missing.text) == (404, "requested room does not exist")
    assert server.call("CreateRoom", joining, {"name": "council"}).status_code == 401
    made = server.call("CreateRoom", token(room_create=True), {"name": "council"})
    assert made.status_code == 200 and made.json()["name"] == "council"
    assert server.validate(joining).text == "success"
    assert server.call("DeleteRoom", token(room_create=True), {"room": "council"}).status_code == 200
    assert server.validate(joining).status_code == 404


class Hook(BaseHTTPRequestHandler):
    got: list[tuple[str, str]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.got.append((body, self.headers["Authorization"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def test_joining_makes_a_room_where_it_may_and_webhooks_are_signed(tmp_path: Path) -> None:
    import asyncio

    import aiohttp
    from livekit import api
    from livekit.protocol import rtc

    hook = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    webhook = {"api_key": KEY, "urls": [f"http://127.0.0.1:{hook.server_port}/hook"]}
    for server in run(tmp_path, room__auto_create=True, webhook=webhook):

        async def join(at: str = server.url) -> Any:
            url = f"{at}/rtc?access_token={token(room_join=True, room='open')}"
            async with aiohttp.ClientSession() as session, session.ws_connect(url) as line:
                return rtc.SignalResponse.FromString(await line.receive_bytes())

        answer = asyncio.run(join())
        assert (answer.join.room.name, answer.join.participant.identity) == ("open", "alice")
        deadline = time.monotonic() + 10
        while len(Hook.got) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
    hook.shutdown()
    receiver = api.WebhookReceiver(api.TokenVerifier(KEY, SECRET))
    assert {receiver.receive(*sent).event for sent in Hook.got} == {
        "room_started",
        "participant_joined",
        "participant_left",
    }


def test_journeys_speak_as_the_libraries_do(server: Running) -> None:
    """Tokens and STUN messages of roles/livekit/verify are those of livekit-api and of a TURN server."""
    from livekit import api

    journeys = module_at(ROOT / "roles" / "livekit" / "verify" / "fixtures.py", "journeys")
    signed = journeys.sign(KEY, SECRET, "verify", roomCreate=True, roomList=True)
    claims = api.TokenVerifier(KEY, SECRET).verify(signed)
    assert claims.identity == "verify" and claims.video and claims.video.room_create and claims.video.room_list
    assert server.call("ListRooms", signed, {}).status_code == 200
    assert journeys.claims_of(token(room_join=True, room="x"), KEY, SECRET)["video"]["room"] == "x"
    with pytest.raises(AssertionError, match="not signed with the media server's secret"):
        journeys.claims_of(token(secret="t" * 64, room="x"), KEY, SECRET)
    with socket.create_connection(("127.0.0.1", server.content["turn"]["tls_port"]), timeout=5) as line:
        for kind, wanted in ((journeys.BINDING, journeys.ANSWERED), (journeys.ALLOCATE, journeys.UNAUTHORIZED)):
            line.sendall(journeys.request(kind))
            assert journeys.kind_of(line.recv(2000)) == wanted
