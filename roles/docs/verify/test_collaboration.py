# SPDX-License-Identifier: MIT
"""Editors meet in the room of their document; rooms open to those who may, and close when they no longer may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from suite_deploy.model.deployment import Component
from suite_deploy.verify.people import People
from suite_deploy.verify.web import TIMEOUT, Web
from suite_deploy.verify.websocket import Closed, Refused

#: how long the queue may take to have a room closed, in seconds
PATIENCE = 20


def lets_in(writer: Any, document: str, **headers: str) -> bool:
    """Whether the room opens: not when the handshake fails, the connection is closed, or entering is denied."""
    try:
        with writer.editor(document, **headers) as editor:
            return bool(editor.enter())
    except (Refused, Closed):
        return False


def test_room_opens_to_its_document_alone(
    component: Component, new_writer: Callable[[], Any], people: People, some_text: str
) -> None:
    writer, colleague, stranger = new_writer(), new_writer(), new_writer()
    writer.sign_in(people[0])
    colleague.sign_in(people[1])
    document = writer.create(json={"title": some_text})
    assert lets_in(writer, document), "the room of one's own document stays closed"
    assert not lets_in(colleague, document), "the room is open to a colleague who may not read the document"
    assert not lets_in(stranger, document), "the room is open without signing in"
    assert not lets_in(writer, document, cookie="docs_sessionid=none"), "the room is open with an invented session"
    assert not lets_in(writer, document, origin="https://elsewhere.example"), "the room is open to pages of other sites"


def test_room_closes_when_rights_change(
    component: Component, new_writer: Callable[[], Any], people: People, some_text: str
) -> None:
    """The backend tells the queue, the queue the collaboration server, through edge, with their secret."""
    writer = new_writer()
    writer.sign_in(people[0])
    document = writer.create(json={"title": some_text})
    with writer.editor(document) as editor:
        assert editor.enter(), "the room of one's own document stays closed"
        link = {"link_reach": "authenticated", "link_role": "reader"}
        writer.ask("PUT", f"documents/{document}/link-configuration/", json=link)
        closed = editor.wait_until_closed(PATIENCE)
        assert closed, f"nobody closed the room within {PATIENCE} seconds: is the queue at work?"
    assert lets_in(writer, document), "the room stays closed for who still may"


def test_colleague_enters_what_is_shared(
    component: Component, new_writer: Callable[[], Any], people: People, some_text: str
) -> None:
    writer, colleague = new_writer(), new_writer()
    writer.sign_in(people[0])
    colleague.sign_in(people[1])
    document = writer.create(json={"title": some_text})
    link = {"link_reach": "authenticated", "link_role": "editor"}
    writer.ask("PUT", f"documents/{document}/link-configuration/", json=link)
    assert lets_in(colleague, document), "the room of a shared document stays closed"


@pytest.mark.parametrize("path", ["reset-connections/", "get-connections/"])
def test_rooms_are_not_managed_from_outside(component: Component, web: Web, path: str) -> None:
    with web.session() as session:
        answer = session.post(f"{component.url}/collaboration/api/{path}?room=x", timeout=TIMEOUT)
        assert answer.status_code == 404, f"{path} is answered with {answer.status_code}"
