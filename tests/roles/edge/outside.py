# SPDX-License-Identifier: MIT
"""What stands around edge in its tests: a store, an application that guards it, name servers, strangers. All real."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.roles.edge.sigv4 import Signer

SIGNER = Signer("AKEXAMPLE", "not-a-real-secret-of-the-tests", "region-1")
BUCKET = "suite-app"
STORE_NAME = "s3.suite.example"
OBJECTS = {"plain.txt": b"plain", "a b/été (1) +%41&=;@~.png": b"awkward", "deep/er/..x": b"dots"}


class Quiet(BaseHTTPRequestHandler):
    """Requests are kept in the server's list `seen`, newest last."""

    protocol_version = "HTTP/1.1"
    server: Recorder

    def keep(self) -> dict[str, str]:
        size = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = {"method": self.command, "target": self.path, "headers": headers, "body": self.rfile.read(size)}
        self.server.seen.append(seen)
        return headers

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a test that fails says what was seen."""


class Recorder(ThreadingHTTPServer):
    """An HTTP server that keeps what it saw. name: what it calls itself."""

    daemon_threads = True

    def __init__(self, address: str, handler: type[Quiet], name: str = "", tls: ssl.SSLContext | None = None):
        super().__init__((address, 0), handler)
        self.name = name
        self.seen: list[dict[str, Any]] = []
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: whoever breaks off a connection here does so on purpose."""


class Store(Quiet):
    """Objects for whoever signs; what it says when it refuses must not reach people."""

    def do_GET(self) -> None:
        headers = self.keep()
        if not SIGNER.accepts(self.command, self.path, headers):
            said = (
                f"<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>{SIGNER.access_key}</AWSAccessKeyId></Error>"
            )
            return self.answer(403, said.encode(), {"Content-Type": "application/xml"})
        body = OBJECTS.get(unquote(self.path).removeprefix(f"/{BUCKET}/"))
        if body is None:
            return self.answer(404, f"<Error><BucketName>{BUCKET}</BucketName></Error>".encode())
        tag = {"ETag": '"tag"', "Set-Cookie": "store=1", "Content-Security-Policy": "store's own"}
        if headers.get("if-none-match") == '"tag"':
            return self.answer(304, headers=tag)
        if headers.get("range") == "bytes=1-2":
            return self.answer(206, body[1:3], tag | {"Content-Range": f"bytes 1-2/{len(body)}"})
        return self.answer(200, body, tag)

    do_HEAD = do_GET


class Guard(Quiet):
    """An application that is asked whether this person may; the cookie says how it shall behave."""

    def do_GET(self) -> None:
        headers = self.keep()
        behaviour = headers.get("cookie", "").removeprefix("session=")
        if behaviour in {"500", "404", "302", "403"}:
            return self.answer(int(behaviour), b"says the application", {"Location": "https://elsewhere.example/"})
        if behaviour not in {"good", "forged"}:
            return self.answer(401, headers={"WWW-Authenticate": "Cookie"})
        key = unquote(urlsplit(headers["x-original-url"]).path).partition("/media/")[2]
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        signed = SIGNER.headers_for(STORE_NAME, BUCKET, key if behaviour == "good" else "another", moment)
        return self.answer(200, b'"authorized"', signed)


class Named(Quiet):
    """Says who it is and what reached it."""

    def do_GET(self) -> None:
        headers = self.keep()
        said = {"name": self.server.name, "target": self.path, "headers": headers}
        self.answer(200, json.dumps(said).encode(), {"Content-Type": "application/json"})


class Talker(socketserver.BaseRequestHandler):
    """Plain TCP that speaks first, as a mail server does, and repeats what it hears."""

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self.request.sendall(b"220 hello\n")
            while part := self.request.recv(1000):
                self.request.sendall(part.upper())


class Threaded(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@dataclass
class Names:
    """A name server. addresses: name → IPv4 address; any other name does not exist. deaf: it answers nobody."""

    address: str
    port: int = 0
    addresses: dict[str, str] = field(default_factory=dict)
    deaf: bool = False

    @contextlib.contextmanager
    def serving(self) -> Iterator[Names]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind((self.address, 0))
            self.port = server.getsockname()[1]
            thread = threading.Thread(target=self._answer, args=(server,), daemon=True)
            thread.start()
            yield self
            # wakes the thread, which then finds nobody to answer
            server.sendto(b"", (self.address, self.port))
            thread.join()

    def _answer(self, server: socket.socket) -> None:
        while True:
            query, client = server.recvfrom(2000)
            if not query:
                return
            if not self.deaf:
                server.sendto(self._reply(query), client)

    def _reply(self, query: bytes) -> bytes:
        labels, at = [], 12
        while length := query[at]:
            labels.append(query[at + 1 : at + 1 + length].decode())
            at += 1 + length
        question = query[12 : at + 5]
        known = self.addresses.get(".".join(labels).lower())
        if known is None:
            return query[:2] + b"\x81\x83\x00\x01\x00\x00\x00\x00\x00\x00" + question
        record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04" + socket.inet_aton(known)
        return query[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" + question + record


@contextlib.contextmanager
def running(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
