# SPDX-License-Identifier: MIT
"""A person shows a picture behind them: their browser sends it to the object store, and they alone read it back."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from suite_deploy.model.deployment import Component
from suite_deploy.verify.people import People
from suite_deploy.verify.web import TIMEOUT, Web

CLOSED = (401, 403, 404)


def picture() -> bytes:
    """One red pixel as PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))

    head = struct.pack("!IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def send(web: Web, url: str, content: bytes, origin: str) -> requests.Response:
    """As the page does; the store may be the suite's own or a provider's."""
    headers = {"X-amz-acl": "private", "Content-Type": "image/png", "Origin": origin}
    if urlsplit(url).hostname not in web.addresses:
        return requests.put(url, data=content, headers=headers, timeout=TIMEOUT)
    with web.session() as session:
        return session.put(url, data=content, headers=headers, timeout=TIMEOUT)


@pytest.fixture
def _offered(component: Component) -> None:
    if not component.options["backgrounds"]:
        pytest.skip("pictures are switched off (components.meet.backgrounds)")


@pytest.mark.usefixtures("_offered")
def test_picture_is_sent_and_read(
    component: Component, new_attendee: Callable[[], Any], people: People, web: Web
) -> None:
    attendee, colleague, stranger = new_attendee(), new_attendee(), new_attendee()
    attendee.sign_in(people[0])
    colleague.sign_in(people[1])
    content = picture()
    file = attendee.make("files", filename="verify.png", type="background_image")
    sent = send(web, file["policy"], content, component.url or "")
    assert sent.status_code == 200, f"the object store answered {sent.status_code}: {sent.text[:200]}"
    allowed = sent.headers.get("Access-Control-Allow-Origin")
    assert allowed in (component.url, "*"), f"browsers may not send pictures (Access-Control-Allow-Origin: {allowed})"
    path = urlsplit(attendee.ask("POST", f"files/{file['id']}/upload-ended/")["url"]).path
    found = attendee.call("GET", path)
    assert found.status_code == 200 and found.content == content, f"the picture is answered with {found.status_code}"
    assert found.headers.get("Content-Disposition") == "attachment"
    for who, other in (("a colleague", colleague), ("a stranger", stranger)):
        answer = other.call("GET", path)
        assert answer.status_code in CLOSED, f"the picture is answered with {answer.status_code} for {who}"


@pytest.mark.usefixtures("_offered")
def test_picture_must_be_one(component: Component, new_attendee: Callable[[], Any], people: People, web: Web) -> None:
    attendee = new_attendee()
    attendee.sign_in(people[0])
    file = attendee.make("files", filename="verify.png", type="background_image")
    assert send(web, file["policy"], b"no picture at all", component.url or "").status_code == 200
    answer = attendee.call("POST", f"files/{file['id']}/upload-ended/")
    assert answer.status_code == 400, f"something else than a picture is answered with {answer.status_code}"
