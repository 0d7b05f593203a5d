# SPDX-License-Identifier: MIT
"""A person on the homeserver gets into a call: OpenID token, token for the media server, room. Nobody else does."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from suite_deploy.model.deployment import Component, Deployment
from suite_deploy.verify.people import People
from suite_deploy.verify.web import TIMEOUT, Web

SLOT = "m.call#ROOM"


@dataclass(frozen=True)
class Caller:
    """Somebody who is signed in to chat, and asks for a place in a call."""

    url: str
    client: Any
    session: requests.Session
    room: str

    def proof(self) -> dict[str, Any]:
        """A token with which somebody else may ask the homeserver who this is."""
        found: dict[str, Any] = self.client.ask("POST", f"user/{self.client.user}/openid/request_token", {})
        return found

    def ask(self, proof: dict[str, Any], user: str = "") -> requests.Response:
        member = {"id": uuid.uuid4().hex, "claimed_user_id": user or self.client.user, "claimed_device_id": "VERIFY"}
        body = {"room_id": self.room, "slot_id": SLOT, "openid_token": proof, "member": member}
        return self.session.post(f"{self.url}/get_token", json=body, timeout=TIMEOUT)


@pytest.fixture
def media(deployment: Deployment, component: Component) -> Component:
    found = deployment.provider_for(component, "livekit")
    assert found is not None, "there is no media server"
    return found


@pytest.fixture
def caller(
    component: Component, homeserver: Component, new_matrix_client: Callable[[], Any], people: People, web: Web
) -> Iterator[Caller]:
    client = new_matrix_client()
    client.sign_in(people[0])
    room = f"!verify-{uuid.uuid4().hex}:{homeserver.options['server_name']}"
    with web.session() as session:
        yield Caller(component.url or "", client, session, room)


@pytest.fixture
def forget(
    media: Component, web: Web, secret: Callable[[str], str], media_token: Callable[..., str]
) -> Iterator[Callable[[str], None]]:
    """A function that has a room of the media server removed at the end."""
    rooms: list[str] = []
    yield rooms.append
    token = media_token(media.slug, secret(f"{media.slug}.api_secret"), "suite-deploy verify", roomCreate=True)
    with web.session() as session:
        for room in rooms:
            url = f"{media.url}/twirp/livekit.RoomService/DeleteRoom"
            session.post(url, json={"room": room}, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT)


def hashed(*parts: str) -> str:
    """How MSC4195 has rooms called at the media server."""
    text = json.dumps(parts, separators=(",", ":"), ensure_ascii=False).encode()
    return base64.b64encode(hashlib.sha256(text).digest()).decode().rstrip("=")


def test_person_gets_into_a_call(
    component: Component,
    media: Component,
    caller: Caller,
    forget: Callable[[str], None],
    media_claims: Callable[[str, str, str], dict[str, Any]],
    secret: Callable[[str], str],
) -> None:
    answer = caller.ask(caller.proof())
    assert answer.status_code == 200, f"asking for a place is answered with {answer.status_code}: {answer.text[:200]}"
    given = answer.json()
    assert given["url"] == f"wss://{media.hostname}", f"people are sent to {given['url']}"
    claims = media_claims(given["jwt"], media.slug, secret(f"{media.slug}.api_secret"))
    forget(claims["video"]["room"])
    video = claims["video"]
    assert video["room"] == hashed(caller.room, SLOT), "the token is for another room"
    assert video["roomJoin"] and video["canPublish"] and video["canSubscribe"], f"the token grants {video}"
    assert not video.get("roomCreate") and not video.get("roomAdmin"), f"the token grants too much: {video}"
    assert caller.client.user not in claims["sub"], "the media server is told people's Matrix names"
    headers = {"Authorization": f"Bearer {given['jwt']}"}
    taken = caller.session.get(f"{media.url}/rtc/validate", headers=headers, timeout=TIMEOUT)
    assert taken.status_code == 200, f"the media server answers the token with {taken.status_code}: {taken.text[:200]}"


def test_only_the_homeserver_says_who_somebody_is(component: Component, homeserver: Component, caller: Caller) -> None:
    proof = caller.proof()
    invented = caller.ask({**proof, "access_token": "invented"})
    assert invented.status_code == 401, f"an invented token is answered with {invented.status_code}"
    other = caller.ask(proof, f"@somebody-else:{homeserver.options['server_name']}")
    assert other.status_code == 401, f"somebody else's name is answered with {other.status_code}"


def test_clients_are_told_where_calls_are(component: Component, homeserver: Component, caller: Caller) -> None:
    wanted = [{"type": "livekit", "livekit_service_url": component.url}]
    asked = caller.client.call("GET", "../unstable/org.matrix.msc4143/rtc/transports")
    assert asked.status_code == 200, f"{asked.url} is answered with {asked.status_code}"
    assert asked.json().get("rtc_transports") == wanted, f"{asked.url} says {asked.json()}"


def test_web_pages_of_the_suite_may_ask(component: Component, web: Web) -> None:
    with web.session() as session:
        answer = session.options(f"{component.url}/get_token", timeout=TIMEOUT)
    assert answer.headers.get("Access-Control-Allow-Origin") == "*", "the chat client in a browser is kept from asking"


def test_events_of_the_media_server_are_taken_from_inside_only(component: Component, web: Web) -> None:
    with web.session() as session:
        answer = session.post(f"{component.url}/sfu_webhook", data="{}", timeout=TIMEOUT)
    assert answer.status_code == 404, f"from outside the event is answered with {answer.status_code}"
