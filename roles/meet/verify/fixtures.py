# SPDX-License-Identifier: MIT
"""People who meet, and the tokens that let them in at the media server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from suite_deploy.model.deployment import Component
from suite_deploy.verify.web import Browser, Web
from suite_deploy.verify.webapp import WebApp

API = "/api/v1.0/"


class Attendee(WebApp):
    """One browser in Visio; the rooms and pictures made with it are removed at the end."""

    def __init__(self, component: Component, browser: Browser):
        super().__init__(component, browser, API)
        self._made: list[str] = []

    def make(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Make a room or a file; kind: `rooms` or `files`."""
        made: dict[str, Any] = self.ask("POST", f"{kind}/", json=fields)
        self._made.append(f"{kind}/{made['id']}/")
        return made

    def clean_up(self) -> None:
        """Leave nothing behind."""
        for path in self._made:
            self.call("DELETE", path)


def claims_of(token: str, key: str, secret: str) -> dict[str, Any]:
    """What a token for the media server grants; fails when it would not be taken there.

    key, secret: the pair the media server knows. A token is a JWT signed with HS256, https://docs.livekit.io/reference.
    """
    head, payload, signature = token.split(".")
    assert json.loads(_decoded(head))["alg"] == "HS256", "the token is signed in a way the media server does not read"
    wanted = hmac.new(secret.encode(), f"{head}.{payload}".encode(), hashlib.sha256).digest()
    assert hmac.compare_digest(_decoded(signature), wanted), "the token is not signed with the media server's secret"
    claims: dict[str, Any] = json.loads(_decoded(payload))
    assert claims["iss"] == key, f"the token names the key {claims['iss']}, the media server's is {key}"
    assert claims["exp"] > time.time() >= claims.get("nbf", 0), "the token is not good now"
    return claims


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.fixture
def new_attendee(component: Component, web: Web) -> Iterator[Callable[[], Attendee]]:
    """A function that opens browsers in Visio."""
    with ExitStack() as stack:

        def make() -> Attendee:
            attendee = Attendee(component, stack.enter_context(web.browser()))
            stack.callback(attendee.clean_up)
            return attendee

        yield make


@pytest.fixture
def granted() -> Callable[[str, str, str], dict[str, Any]]:
    """A function: token, key, secret → what the token grants."""
    return claims_of


@pytest.fixture
def room_name() -> str:
    return f"verify-{uuid.uuid4().hex[:16]}"
