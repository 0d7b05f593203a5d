# SPDX-License-Identifier: MIT
"""A person writes a document, its history is kept, files in it are read by those who may, and by nobody else."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from suite_deploy.model.deployment import Component
from suite_deploy.verify.people import People
from suite_deploy.verify.web import TIMEOUT, Web

#: two states of a document, as its editor would send them (Yjs updates, one paragraph each)
FIRST = "AQMBAAcBDmRvY3VtZW50LXN0b3JlAwlwYXJhZ3JhcGgHAAEABgQAAQEDb25lAA=="
SECOND = "AQMBAAcBDmRvY3VtZW50LXN0b3JlAwlwYXJhZ3JhcGgHAAEABgQAAQEDdHdvAA=="
#: one pixel
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
CLOSED = (401, 403, 404)


def test_person_is_known_after_signing_in(
    component: Component, new_writer: Callable[[], Any], people: People, web: Web
) -> None:
    writer = new_writer()
    assert writer.call("GET", "users/me/").status_code == 401, "somebody is signed in before signing in"
    writer.sign_in(people[0])
    person = writer.ask("GET", "users/me/")
    assert person["email"] and person["full_name"], f"Docs does not know the name or address of {people[0].username}"


def test_document_is_written_and_its_history_kept(
    component: Component, new_writer: Callable[[], Any], people: People, some_text: str
) -> None:
    writer = new_writer()
    writer.sign_in(people[0])
    document = writer.create(json={"title": some_text})
    opened = writer.ask("GET", f"documents/{document}/")
    assert (opened["title"], opened["abilities"]["update"]) == (some_text, True), "another document opened"
    for content in (FIRST, SECOND):
        writer.ask("PATCH", f"documents/{document}/content/", json={"content": content, "websocket": True})
    found = writer.call("GET", f"documents/{document}/content/")
    assert found.status_code == 200 and found.text.strip('"') == SECOND, "what was written last is not what is read"
    kept = writer.ask("GET", f"documents/{document}/versions/")["versions"]
    assert len(kept) >= 1, "the bucket kept no earlier version of the document"


def test_markdown_becomes_a_document(
    component: Component, new_writer: Callable[[], Any], people: People, some_text: str
) -> None:
    """The backend has it converted by the collaboration server."""
    writer = new_writer()
    writer.sign_in(people[0])
    file = ("verify.md", f"# Verify\n\n{some_text}\n".encode(), "text/markdown")
    document = writer.create(files={"file": file})
    assert len(writer.call("GET", f"documents/{document}/content/").text) > len(some_text), "the document is empty"


def test_strangers_see_nothing(
    component: Component, new_writer: Callable[[], Any], people: People, some_text: str
) -> None:
    writer, colleague, stranger = new_writer(), new_writer(), new_writer()
    writer.sign_in(people[0])
    colleague.sign_in(people[1])
    document = writer.create(json={"title": some_text})
    for other in (colleague, stranger):
        for path in ("", "content/", "versions/"):
            answer = other.call("GET", f"documents/{document}/{path}")
            assert answer.status_code in CLOSED, f"documents/…/{path} is answered with {answer.status_code}"
        changed = other.call("PATCH", f"documents/{document}/content/", json={"content": FIRST, "websocket": True})
        assert changed.status_code in CLOSED, f"writing is answered with {changed.status_code}"
    assert stranger.call("POST", "documents/", json={"title": some_text}).status_code in CLOSED


@pytest.mark.parametrize(
    ("name", "content"),
    [("verify.txt", b"plain text\n"), ("verify.png", base64.b64decode(PICTURE))],
    ids=["text", "picture"],
)
def test_file_is_read_by_those_who_may(
    component: Component, new_writer: Callable[[], Any], people: People, name: str, content: bytes
) -> None:
    writer, colleague, stranger = new_writer(), new_writer(), new_writer()
    writer.sign_in(people[0])
    colleague.sign_in(people[1])
    document = writer.create(json={"title": name})
    check = writer.ask("POST", f"documents/{document}/attachment-upload/", files={"file": (name, content)})["file"]
    path = urlsplit(writer.wait_for(check, "status", "ready")["file"]).path
    found = writer.call("GET", path)
    assert found.status_code == 200, f"the file is answered with {found.status_code}"
    assert found.content == content, "another file came back"
    assert "default-src 'none'" in found.headers.get("Content-Security-Policy", ""), "a file may run what is in it"
    for who, other in (("a colleague", colleague), ("a stranger", stranger)):
        answer = other.call("GET", path)
        assert answer.status_code in CLOSED, f"the file is answered with {answer.status_code} for {who}"
        assert content not in answer.content
    missing = writer.call("GET", path.replace(document, document[::-1]))
    assert missing.status_code in CLOSED, f"a file of no document is answered with {missing.status_code}"


def test_pages_name_no_other_site(component: Component, new_writer: Callable[[], Any], web: Web) -> None:
    """What the pages are told to load and to report to."""
    settings = new_writer().ask("GET", "config/")
    for name in ("POSTHOG_KEY", "SENTRY_DSN", "FRONTEND_CSS_URL", "FRONTEND_JS_URL"):
        assert not settings.get(name), f"{name} is {settings[name]!r}"
    assert not settings["AI_FEATURE_ENABLED"], "text would be handed to a language model"
    for name in ("COLLABORATION_WS_URL", "MEDIA_BASE_URL"):
        host = urlsplit(settings[name]).hostname
        assert host == component.hostname, f"{name} leads to {host}"


def test_page_is_served(component: Component, web: Web) -> None:
    with web.session() as session:
        answer = session.get(f"{component.url}/", timeout=TIMEOUT)
        assert answer.status_code == 200 and "text/html" in answer.headers["Content-Type"]


def test_session_ends_where_the_person_ends_it(
    component: Component, new_writer: Callable[[], Any], people: People
) -> None:
    writer = new_writer()
    writer.sign_in(people[0])
    end = writer.browser.follow(writer.call("GET", "logout/"))
    assert end.status_code == 200, f"signing out ended at {end.url.partition('?')[0]} ({end.status_code})"
    assert writer.call("GET", "users/me/").status_code == 401, "the session goes on after signing out"
