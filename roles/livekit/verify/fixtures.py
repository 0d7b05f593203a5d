# SPDX-License-Identifier: MIT
"""Tokens for a media server, made and read with the standard library, and a first word in the language of TURN."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import ssl
import struct
import time
from collections.abc import Callable
from typing import Any

import pytest

from suite_deploy.verify.web import TIMEOUT, Web

_COOKIE = 0x2112A442
_HEADER = struct.Struct("!HHI12s")
#: message types and attributes of RFC 8489 and RFC 8656
BINDING, ALLOCATE = 0x0001, 0x0003
ANSWERED, UNAUTHORIZED = 0x0101, 0x0113
_REQUESTED_TRANSPORT, _UDP = 0x0019, 17


def sign(key: str, secret: str, identity: str = "", **grants: Any) -> str:
    """A token as LiveKit's libraries make it: a JWT with HS256; grants: what `video` holds."""
    now = int(time.time())
    claims = {"iss": key, "sub": identity, "nbf": now - 10, "exp": now + 300, "video": grants}
    parts = [_encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    signature = hmac.new(secret.encode(), ".".join(parts).encode(), hashlib.sha256).digest()
    return ".".join([*parts, _encoded(signature)])


def claims_of(token: str, key: str, secret: str) -> dict[str, Any]:
    """What a token grants; fails when the media server with this key and secret would not take it."""
    head, payload, signature = token.split(".")
    assert json.loads(_decoded(head))["alg"] == "HS256", "the token is signed in a way the media server does not read"
    wanted = hmac.new(secret.encode(), f"{head}.{payload}".encode(), hashlib.sha256).digest()
    assert hmac.compare_digest(_decoded(signature), wanted), "the token is not signed with the media server's secret"
    claims: dict[str, Any] = json.loads(_decoded(payload))
    assert claims["iss"] == key, f"the token names the key {claims['iss']}, the media server's is {key}"
    assert claims["exp"] > time.time() >= claims.get("nbf", 0), "the token is not good now"
    return claims


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def request(kind: int) -> bytes:
    """A STUN or TURN request without credentials."""
    body = struct.pack("!HHB3x", _REQUESTED_TRANSPORT, 4, _UDP) if kind == ALLOCATE else b""
    return _HEADER.pack(kind, len(body), _COOKIE, b"suite-verify") + body


def kind_of(answer: bytes) -> int:
    """The type of a STUN message; fails for what is none."""
    assert len(answer) >= _HEADER.size, f"{len(answer)} bytes came back, which is no STUN message"
    kind, _, cookie, transaction = _HEADER.unpack_from(answer)
    assert (cookie, transaction) == (_COOKIE, b"suite-verify"), "what came back answers another question"
    return int(kind)


@pytest.fixture
def over_tls(web: Web) -> Callable[[str, list[int]], list[int]]:
    """A function: name, requests → the types of the answers that came through TLS for that name on edge's port 443."""

    def ask(name: str, kinds: list[int]) -> list[int]:
        context = ssl.create_default_context(cafile=web.trust if isinstance(web.trust, str) else None)
        plain = socket.create_connection((web.addresses[name], web.ports["https"]), timeout=TIMEOUT)
        with plain, context.wrap_socket(plain, server_hostname=name) as line:
            answers = []
            for kind in kinds:
                line.sendall(request(kind))
                answers.append(kind_of(line.recv(2000)))
            return answers

    return ask


@pytest.fixture
def over_udp() -> Callable[[str, int, int], int]:
    """A function: address, port, request → the type of the answer."""

    def ask(address: str, port: int, kind: int) -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.settimeout(2)
            for _ in range(3):
                line.sendto(request(kind), (address, port))
                try:
                    return kind_of(line.recv(2000))
                except TimeoutError:
                    continue
        raise AssertionError(f"no answer from UDP port {port} of {address}")

    return ask


@pytest.fixture
def media_token() -> Callable[..., str]:
    """A function that signs tokens for a media server: key, secret, identity, grants."""
    return sign


@pytest.fixture
def media_claims() -> Callable[[str, str, str], dict[str, Any]]:
    """A function: token, key, secret → what the token grants."""
    return claims_of
