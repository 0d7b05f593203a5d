# SPDX-License-Identifier: MIT
"""People who write documents, and the protocol in which their editors talk to the collaboration server."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from suite_deploy.model.deployment import Component
from suite_deploy.verify.web import Web
from suite_deploy.verify.webapp import WebApp, newcomers
from suite_deploy.verify.websocket import Closed, WebSocket

API = "/api/v1.0/"
#: Hocuspocus: kinds of messages, and what the first says about authentication
_AUTH, _CLOSE = 2, 7
_TOKEN, _DENIED, _AUTHENTICATED = 0, 1, 2


class Writer(WebApp):
    """One browser in Docs; the documents made with it are removed at the end."""

    def __init__(self, component: Component, web: Web, browser: Any):
        super().__init__(component, browser, API)
        self._web = web
        self._made: list[str] = []

    def create(self, **fields: Any) -> str:
        """Make a document; returns its id."""
        made = str(self.ask("POST", "documents/", **fields)["id"])
        self._made.append(made)
        return made

    @property
    def cookie(self) -> str:
        """Every cookie the browser has for Docs, as it sends them."""
        host = self.url.removeprefix("https://")
        return "; ".join(f"{item.name}={item.value}" for item in self.browser.session.cookies if item.domain == host)

    def editor(self, document: str, **headers: str) -> Editor:
        """Open a document's room as its editor does. headers: instead of the usual ones; an empty one is left out."""
        sent = {"Origin": self.url, "Cookie": self.cookie, **{key.title(): value for key, value in headers.items()}}
        url = f"wss://{self.url.removeprefix('https://')}/collaboration/ws/?room={document}"
        return Editor(self._web, url, {key: value for key, value in sent.items() if value}, document)

    def clean_up(self) -> None:
        """Leave no document behind: what is deleted waits in the trash until its days are over."""
        for document in self._made:
            self.call("DELETE", f"documents/{document}/")


class Editor(WebSocket):
    """A connection to the room of one document."""

    def __init__(self, web: Web, url: str, headers: dict[str, str], document: str):
        super().__init__(web, url, headers)
        self._document = document

    def enter(self) -> bool:
        """Ask to be let in; whether one is."""
        self.send(_text(self._document) + bytes([_AUTH, _TOKEN]) + _text("none"))
        head = _text(self._document) + bytes([_AUTH])
        answer = self.receive()
        assert answer.startswith(head), "the collaboration server speaks another protocol"
        said = answer[len(head)]
        assert said in (_DENIED, _AUTHENTICATED), f"the collaboration server answered {said}"
        return said == _AUTHENTICATED

    def wait_until_closed(self, patience: float) -> bool:
        """Whether the server closes the room to this editor within `patience` seconds."""
        deadline = time.monotonic() + patience
        closing = _text(self._document) + bytes([_CLOSE])
        try:
            while (left := deadline - time.monotonic()) > 0:
                if self.receive(left).startswith(closing):
                    return True
        except Closed:
            return True
        except TimeoutError:
            pass
        return False


def _text(value: str) -> bytes:
    """A short string as the protocol writes it: its length in one byte, then itself."""
    data = value.encode()
    assert len(data) < 128
    return bytes([len(data)]) + data


@pytest.fixture
def new_writer(component: Component, web: Web) -> Iterator[Callable[[], Writer]]:
    """A function that opens browsers in Docs."""
    with newcomers(web, lambda browser: Writer(component, web, browser)) as newcomer:
        yield newcomer


@pytest.fixture
def some_text() -> str:
    return f"verify {uuid.uuid4().hex}"
