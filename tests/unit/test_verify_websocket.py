# SPDX-License-Identifier: MIT
"""The WebSocket client of checks: shakes hands, talks, and says how it was refused or closed."""

from __future__ import annotations

import base64
import hashlib
import queue
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from suite_deploy.verify.web import Web
from suite_deploy.verify.websocket import Closed, Refused, WebSocket
from tests.unit.verify_edge import _certificates

NAME = "docs.sockets.example"
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
Talk = Callable[[Any], None]


def frame(kind: int, payload: bytes, final: bool = True) -> bytes:
    """As a server sends it: not masked, its size in one, three or nine bytes."""
    first, size = (0x80 if final else 0) | kind, len(payload)
    if size < 126:
        return struct.pack("!BB", first, size) + payload
    return struct.pack("!BBH", first, 126, size) + payload


def received(stream: Any) -> bytes:
    """The payload of one frame a client sent, its mask taken off."""
    size = stream.read(2)[1] & 0x7F
    if size == 126:
        size = int.from_bytes(stream.read(2), "big")
    mask = stream.read(4)
    return bytes(byte ^ mask[n % 4] for n, byte in enumerate(stream.read(size)))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An authority, and a server's certificate with its key."""
    folder = tmp_path_factory.mktemp("certificate")
    authority, leaf, key = _certificates([NAME])
    (folder / "ca.pem").write_text(authority)
    (folder / "server.pem").write_bytes(leaf + key)
    return folder / "ca.pem", folder / "server.pem"


@pytest.fixture
def server(certificate: tuple[Path, Path]) -> Iterator[Callable[..., Web]]:
    """A function that serves one connection as told, and returns the way to it."""
    threads = []

    def start(talk: Talk, status: str = "101 Switching Protocols", accept: str = "") -> Web:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate[1])
        listening = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            with listening, listening.accept()[0] as plain, context.wrap_socket(plain, server_side=True) as secure:
                stream = secure.makefile("rwb")
                head = {}
                while (line := stream.readline().strip()) != b"":
                    name, _, value = line.partition(b": ")
                    head[name.lower()] = value
                key = head[b"sec-websocket-key"] + MAGIC
                signed = base64.b64encode(hashlib.sha1(key, usedforsecurity=False).digest()).decode()
                stream.write(f"HTTP/1.1 {status}\r\nSec-WebSocket-Accept: {accept or signed}\r\n\r\n".encode())
                stream.flush()
                talk(stream)
                stream.flush()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        threads.append(thread)
        return Web({NAME: "127.0.0.1"}, str(certificate[0]), {"https": listening.getsockname()[1]})

    yield start
    for thread in threads:
        thread.join(10)


def connect(web: Web) -> WebSocket:
    return WebSocket(web, f"wss://{NAME}/collaboration/ws/?room=x", {"Origin": f"https://{NAME}"})


@pytest.mark.parametrize("size", [5, 300])
def test_message_goes_there_and_back(server: Callable[..., Web], size: int) -> None:
    def echo(stream: Any) -> None:
        stream.write(frame(2, received(stream)))

    with connect(server(echo)) as connection:
        connection.send(b"m" * size)
        assert connection.receive() == b"m" * size


def test_parts_are_put_together_and_pings_answered(server: Callable[..., Web]) -> None:
    heard: queue.Queue[bytes] = queue.Queue()

    def talk(stream: Any) -> None:
        stream.write(frame(2, b"one ", final=False) + frame(9, b"there?") + frame(0, b"two"))
        stream.flush()
        heard.put(received(stream))

    with connect(server(talk)) as connection:
        assert connection.receive() == b"one two"
        assert heard.get(timeout=10) == b"there?"


def test_closing_says_why(server: Callable[..., Web]) -> None:
    with connect(server(lambda stream: stream.write(frame(8, struct.pack("!H", 4001))))) as connection:
        with pytest.raises(Closed) as end:
            connection.receive()
        assert end.value.code == 4001


def test_hanging_up_is_closing(server: Callable[..., Web]) -> None:
    with connect(server(lambda stream: None)) as connection, pytest.raises(Closed) as end:
        connection.receive()
    assert end.value.code == 0


def test_refusal_says_its_status(server: Callable[..., Web]) -> None:
    with pytest.raises(Refused) as refused:
        connect(server(lambda stream: None, status="403 Forbidden"))
    assert refused.value.status == 403


def test_accepting_another_handshake_is_noticed(server: Callable[..., Web]) -> None:
    with pytest.raises(AssertionError, match="somebody else's"):
        connect(server(lambda stream: None, accept="bm90IG1pbmU="))
