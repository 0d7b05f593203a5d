# SPDX-License-Identifier: MIT
"""People who meet, and the rooms they meet in."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from suite_deploy.model.deployment import Component
from suite_deploy.verify.web import Browser, Web
from suite_deploy.verify.webapp import WebApp, newcomers

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


@pytest.fixture
def new_attendee(component: Component, web: Web) -> Iterator[Callable[[], Attendee]]:
    """A function that opens browsers in Visio."""
    with newcomers(web, lambda browser: Attendee(component, browser)) as newcomer:
        yield newcomer


@pytest.fixture
def room_name() -> str:
    return f"verify-{uuid.uuid4().hex[:16]}"
