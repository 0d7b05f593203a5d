# SPDX-License-Identifier: MIT
"""The media server lets in whom its own key lets in, answers on every port people need, and relays for nobody else."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable, Iterator

import pytest
import requests

from suite_deploy.model.deployment import Component
from suite_deploy.model.outputs import StackOutputs
from suite_deploy.verify.web import TIMEOUT, Web

BINDING, ALLOCATE, ANSWERED, UNAUTHORIZED = 0x0001, 0x0003, 0x0101, 0x0113


class MediaServer:
    """Its HTTP side, as applications and browsers use it."""

    def __init__(self, component: Component, session: requests.Session, secret: str, sign: Callable[..., str]):
        self.component, self.session = component, session
        self._secret, self._sign = secret, sign

    def token(self, **grants: object) -> str:
        return self._sign(self.component.slug, self._secret, "suite-deploy verify", **grants)

    def validate(self, token: str | None) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.session.get(f"{self.component.url}/rtc/validate", headers=headers, timeout=TIMEOUT)

    def call(self, method: str, token: str, **body: object) -> requests.Response:
        url = f"{self.component.url}/twirp/livekit.RoomService/{method}"
        headers = {"Authorization": f"Bearer {token}"}
        return self.session.post(url, json=body, headers=headers, timeout=TIMEOUT)


@pytest.fixture
def server(
    component: Component, web: Web, secret: Callable[[str], str], media_token: Callable[..., str]
) -> Iterator[MediaServer]:
    with web.session() as session:
        yield MediaServer(component, session, secret(f"{component.slug}.api_secret"), media_token)


@pytest.fixture
def room() -> str:
    return f"verify-{uuid.uuid4().hex}"


def outside(component: Component, outputs: StackOutputs) -> str:
    """The address that people reach the media server's host at."""
    host = next(host for host in outputs.hosts if host.name == component.host)
    return host.public_address or host.address


def test_own_token_lets_in(component: Component, server: MediaServer, room: str) -> None:
    joining, ruling = server.token(roomJoin=True, room=room), server.token(roomCreate=True, roomList=True)
    first = server.validate(joining)
    if component.need["auto_create"]:
        assert first.status_code == 200, f"a token for a new room is answered with {first.status_code}"
        return
    assert first.status_code == 404, f"a room nobody made is answered with {first.status_code}: joining would make it"
    made = server.call("CreateRoom", ruling, name=room, empty_timeout=60)
    assert made.status_code == 200, f"making a room is answered with {made.status_code}: {made.text[:200]}"
    try:
        then = server.validate(joining)
        assert then.status_code == 200, f"the room is there, and its token is answered with {then.status_code}"
    finally:
        server.call("DeleteRoom", ruling, room=room)


def test_tokens_of_others_are_refused(
    component: Component, server: MediaServer, room: str, media_token: Callable[..., str]
) -> None:
    grants = {"roomJoin": True, "room": room, "roomCreate": True}
    good = server.token(**grants)
    unsigned = f"{good.rpartition('.')[0]}."
    for what, token in {
        "no token": None,
        "a token without a signature": unsigned,
        "another secret": media_token(component.slug, "x" * 64, "eve", **grants),
        "another key": media_token("devkey", "secret", "eve", **grants),
        "a token that grants nothing": server.token(),
    }.items():
        answer = server.validate(token)
        assert answer.status_code == 401, f"{what} is answered with {answer.status_code}"


def test_rooms_are_ruled_by_tokens_that_say_so(component: Component, server: MediaServer, room: str) -> None:
    joining = server.token(roomJoin=True, room=room)
    for method, body in {"CreateRoom": {"name": room}, "ListRooms": {}, "DeleteRoom": {"room": room}}.items():
        answer = server.call(method, joining, **body)
        assert answer.status_code in (401, 403), f"{method} with a participant's token is answered {answer.status_code}"


def test_turn_answers_at_its_name_on_443(component: Component, over_tls: Callable[[str, list[int]], list[int]]) -> None:
    """Browsers behind firewalls that let only 443 through are sent there, whatever port LiveKit itself uses."""
    name = component.hostnames["turn"]
    assert over_tls(name, [BINDING]) == [ANSWERED], f"{name}:443 speaks TLS, but behind it is no TURN server"


def test_turn_relays_for_nobody_without_credentials(
    component: Component,
    outputs: StackOutputs,
    over_tls: Callable[[str, list[int]], list[int]],
    over_udp: Callable[[str, int, int], int],
) -> None:
    assert over_tls(component.hostnames["turn"], [ALLOCATE]) == [UNAUTHORIZED], "TURN over TLS asks for no credentials"
    port = int(component.description.ports["turn_udp"])
    assert over_udp(outside(component, outputs), port, ALLOCATE) == UNAUTHORIZED, (
        "TURN over UDP asks for no credentials"
    )


def test_stun_is_answered_by_the_suite_itself(
    component: Component, outputs: StackOutputs, over_udp: Callable[[str, int, int], int]
) -> None:
    """Where it is not, browsers ask the servers of Google and Twilio."""
    port = int(component.description.ports["turn_udp"])
    assert over_udp(outside(component, outputs), port, BINDING) == ANSWERED


def test_media_over_tcp_is_reachable(component: Component, outputs: StackOutputs) -> None:
    at = (outside(component, outputs), int(component.description.ports["tcp"]))
    try:
        socket.create_connection(at, timeout=5).close()
    except OSError as error:
        raise AssertionError(f"TCP port {at[1]} of {at[0]} is not reachable: {error}") from error


def test_sound_and_picture_pass_between_people(component: Component) -> None:
    pytest.skip("media is not tested: no browser with a camera takes part. Hold a call between two networks")
