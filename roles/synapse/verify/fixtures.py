# SPDX-License-Identifier: MIT
"""A Matrix client: signs in through the identity provider, talks, signs out."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
import requests

from suite_deploy.model.deployment import Component, Deployment
from suite_deploy.verify.people import Person
from suite_deploy.verify.web import TIMEOUT, Browser, Web, query

_PROVIDER = "oidc-keycloak"
_SYNC_MILLISECONDS = 10_000


class MatrixClient:
    """One device of one person."""

    def __init__(self, server: str, browser: Browser, session: requests.Session):
        """browser: where the person signs in. session: the device's own requests."""
        self.server = server
        self.browser = browser
        self._session = session
        self._token = ""
        self.user = ""
        self.rooms: list[str] = []

    def call(self, method: str, path: str, body: Any = None, **parameters: Any) -> requests.Response:
        """A request of the client-server API, with the device's token."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        url = f"{self.server}/_matrix/client/v3/{path}"
        return self._session.request(method, url, json=body, headers=headers, params=parameters, timeout=TIMEOUT)

    def ask(self, method: str, path: str, body: Any = None, **parameters: Any) -> dict[str, Any]:
        """A request that must succeed."""
        response = self.call(method, path, body, **parameters)
        where = re.sub(r"[!@][^/]+", "…", path)
        assert response.status_code == 200, f"{method} {where} answered {response.status_code}: {response.text[:300]}"
        answer: dict[str, Any] = response.json()
        return answer

    def sign_in(self, person: Person) -> None:
        """Through the identity provider, as a person with a browser does; the device gets a token of its own."""
        back = f"{self.server}/verify-{uuid.uuid4().hex}"
        start = f"{self.server}/_matrix/client/v3/login/sso/redirect/{_PROVIDER}"
        page = self.browser.follow(self.browser.get(start, params={"redirectUrl": back}))
        sent = query(page.url)
        assert sent.get("code_challenge_method") == "S256", "Synapse asks the identity provider without PKCE"
        end = self.browser.sign_in(page, person.username, person.password.reveal(), stop=back)
        target = end.headers.get("Location", "")
        if not target:
            # the server asks whether this client may have a token: it is on no list
            links = [unescape(link) for link in re.findall(r'href="([^"]+)"', end.text)]
            target = next((link for link in links if link.startswith(back)), "")
        login = query(target).get("loginToken")
        assert login, f"signing in ended at {end.url.partition('?')[0]} ({end.status_code}) without a token"
        body = {"type": "m.login.token", "token": login, "initial_device_display_name": "suite-deploy verify"}
        answer = self.ask("POST", "login", body)
        self._token, self.user = answer["access_token"], answer["user_id"]

    def create_room(self, invite: str) -> str:
        """A private room with one other person in it."""
        body = {"name": "suite-deploy verify", "preset": "private_chat", "invite": [invite], "is_direct": True}
        room = str(self.ask("POST", "createRoom", body)["room_id"])
        self.rooms.append(room)
        return room

    def join(self, room: str) -> None:
        self.ask("POST", f"rooms/{quote(room)}/join", {})
        self.rooms.append(room)

    def send(self, room: str, text: str) -> str:
        """Send a text message; returns its event id."""
        path = f"rooms/{quote(room)}/send/m.room.message/{uuid.uuid4().hex}"
        return str(self.ask("PUT", path, {"msgtype": "m.text", "body": text})["event_id"])

    def wait_for(self, room: str, event: str, patience: float = 20) -> dict[str, Any]:
        """Sync, as a client does, until an event of a room is there. patience: seconds."""
        deadline = time.monotonic() + patience
        since: dict[str, str] = {}
        while time.monotonic() < deadline:
            answer = self.ask("GET", "sync", timeout=_SYNC_MILLISECONDS, **since)
            since = {"since": answer["next_batch"]}
            joined = answer.get("rooms", {}).get("join", {}).get(room, {})
            for found in joined.get("timeline", {}).get("events", []):
                if found["event_id"] == event:
                    return dict(found)
        raise AssertionError(f"the message did not arrive within {patience:.0f} seconds")

    def wait_until_refused(self, patience: float = 15) -> bool:
        """Whether the token stops being good within `patience` seconds."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self.call("GET", "account/whoami").status_code == 401:
                return True
            time.sleep(0.3)
        return False

    def clean_up(self) -> None:
        """Leave no room and no device behind."""
        if self._token and self.call("GET", "account/whoami").status_code == 200:
            for room in self.rooms:
                self.call("POST", f"rooms/{quote(room)}/leave", {})
                self.call("POST", f"rooms/{quote(room)}/forget", {})
            self.call("POST", "logout", {})


@pytest.fixture
def homeserver(deployment: Deployment) -> Component:
    found = deployment.provider_of("homeserver")
    assert found is not None, "there is no homeserver"
    return found


@pytest.fixture
def new_matrix_client(homeserver: Component, web: Web) -> Iterator[Callable[[], MatrixClient]]:
    """A function that makes devices; what they leave behind is removed."""
    with ExitStack() as stack:

        def make() -> MatrixClient:
            browser, session = stack.enter_context(web.browser()), stack.enter_context(web.session())
            client = MatrixClient(homeserver.url or "", browser, session)
            stack.callback(client.clean_up)
            return client

        yield make
