# SPDX-License-Identifier: MIT
"""A WebSocket client for checks (RFC 6455): sends and receives binary messages, says how the connection was closed."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import socket
import ssl
import struct
from collections.abc import Mapping
from urllib.parse import urlsplit

from .web import TIMEOUT, Web

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_BINARY, _CLOSE, _PING, _PONG = 2, 8, 9, 10
_SWITCHED = 101
_LONGEST_MESSAGE = 1 << 20


class Refused(Exception):
    """The server did not switch protocols. status: its HTTP status."""

    def __init__(self, status: int):
        self.status = status
        super().__init__(f"the server answered {status} instead of opening a WebSocket")


class Closed(Exception):
    """The server closed the connection. code: its reason (RFC 6455, 7.4), 0 without one."""

    def __init__(self, code: int):
        self.code = code
        super().__init__(f"the server closed the WebSocket with {code}")


class WebSocket:
    """A connection to one of the suite's names; a context manager."""

    def __init__(self, web: Web, url: str, headers: Mapping[str, str]):
        """url: wss://… Raises Refused when the handshake fails, Closed when there is no answer at all."""
        target = urlsplit(url)
        name = target.hostname or ""
        context = ssl.create_default_context(cafile=web.trust if isinstance(web.trust, str) else None)
        plain = socket.create_connection((web.addresses[name], web.ports["https"]), timeout=TIMEOUT)
        self._socket = context.wrap_socket(plain, server_hostname=name)
        self._read = self._socket.makefile("rb")
        try:
            self._shake_hands(name, f"{target.path}?{target.query}" if target.query else target.path, headers)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> WebSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _shake_hands(self, name: str, path: str, headers: Mapping[str, str]) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = {
            "Host": name,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
            **headers,
        }
        head = "".join(f"{field}: {value}\r\n" for field, value in lines.items())
        self._socket.sendall(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        status = self._read.readline().split()
        if len(status) < 2:
            raise Closed(0)
        answered: dict[str, str] = {}
        while (line := self._read.readline().decode("latin-1").strip()) != "":
            field, _, value = line.partition(":")
            answered[field.lower()] = value.strip()
        if int(status[1]) != _SWITCHED:
            raise Refused(int(status[1]))
        wanted = base64.b64encode(hashlib.sha1(key.encode() + _MAGIC, usedforsecurity=False).digest()).decode()
        assert answered.get("sec-websocket-accept") == wanted, "the server accepted somebody else's handshake"

    def send(self, message: bytes) -> None:
        """Send one binary message."""
        self._frame(_BINARY, message)

    def receive(self, patience: float = TIMEOUT) -> bytes:
        """The next message. patience: seconds. Raises Closed when the server ends the connection, TimeoutError."""
        self._socket.settimeout(patience)
        parts = b""
        while True:
            final, kind, payload = self._next_frame()
            if kind == _CLOSE:
                raise Closed(struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 0)
            if kind == _PING:
                self._frame(_PONG, payload)
            elif kind != _PONG:
                parts += payload
                if final:
                    return parts

    def close(self) -> None:
        """Hang up."""
        self._read.close()
        self._socket.close()

    def _frame(self, kind: int, payload: bytes) -> None:
        size, mask = len(payload), secrets.token_bytes(4)
        assert size < _LONGEST_MESSAGE, "checks send short messages"
        if size < 126:
            head = struct.pack("!BB", 0x80 | kind, 0x80 | size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", 0x80 | kind, 0x80 | 126, size)
        else:
            head = struct.pack("!BBQ", 0x80 | kind, 0x80 | 127, size)
        self._socket.sendall(head + mask + bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload)))

    def _next_frame(self) -> tuple[bool, int, bytes]:
        first, second = self._exactly(2)
        size = second & 0x7F
        if size >= 126:
            size = int.from_bytes(self._exactly(2 if size == 126 else 8), "big")
        assert size < _LONGEST_MESSAGE, "the server sends more than a check expects"
        return bool(first & 0x80), first & 0x0F, self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        found = self._read.read(size)
        if len(found) < size:
            raise Closed(0)
        return found
