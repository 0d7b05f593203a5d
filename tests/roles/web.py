# SPDX-License-Identifier: MIT
"""A web client that sends exactly what it is told, and an application behind the edge that says what reached it."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Any

from tests.roles.box import Box

#: answers every request with what it got; each header `X-Want: name: value` comes back as a header of the answer
ECHO = """
import base64, hashlib, http.server, json
class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        size = len(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        if self.headers.get("Upgrade") == "websocket":
            key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
            self.end_headers()
            self.wfile.write(b"\\x81\\x05hello")
            self.close_connection = True
            return
        seen = {"target": self.path, "method": self.command, "size": size}
        body = json.dumps(seen | {"headers": {k.lower(): v for k, v in self.headers.items()}}).encode()
        self.send_response(200)
        for wanted in self.headers.get_all("X-Want", []):
            name, _, value = wanted.partition(":")
            self.send_header(name, value.strip())
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = answer
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Echo).serve_forever()
"""


@dataclass(frozen=True)
class Answer:
    """What came back. headers: names in any case."""

    status: int
    headers: Message
    body: bytes

    @property
    def seen(self) -> dict[str, Any]:
        """What the application behind the edge saw."""
        result: dict[str, Any] = json.loads(self.body)
        return result

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True)
class Browser:
    """Connections to the edge's two ports, through SSH so that no packet filter stands between."""

    tls_port: int
    plain_port: int
    certificate: str

    def connect(self, name: str | None, *, version: ssl.TLSVersion | None = None) -> ssl.SSLSocket:
        """A verified TLS connection; raises ssl.SSLError when the edge or the check refuses it."""
        context = ssl.create_default_context(cadata=self.certificate)
        if name is None:
            context.check_hostname = False
        if version:
            context.minimum_version = context.maximum_version = version
        plain = socket.create_connection(("127.0.0.1", self.tls_port), timeout=20)
        try:
            return context.wrap_socket(plain, server_hostname=name)
        except BaseException:
            plain.close()
            raise

    def ask(
        self,
        host: str,
        target: str,
        *,
        method: str = "GET",
        headers: dict[str, str | list[str]] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """One request over TLS, its target sent byte for byte."""
        connection = http.client.HTTPSConnection(host)
        connection.sock = self.connect(host)
        return self._request(connection, host, target, method, headers or {}, body)

    def ask_plainly(self, host: str, target: str) -> Answer:
        """One request to port 80."""
        connection = http.client.HTTPConnection("127.0.0.1", self.plain_port, timeout=20)
        return self._request(connection, host, target, "GET", {}, b"")

    @staticmethod
    def _request(
        connection: http.client.HTTPConnection,
        host: str,
        target: str,
        method: str,
        headers: dict[str, str | list[str]],
        body: bytes,
    ) -> Answer:
        with contextlib.closing(connection):
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", host)
            for name, values in headers.items():
                for value in [values] if isinstance(values, str) else values:
                    connection.putheader(name, value)
            if body:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders()
            # a refusal may come, and the connection go, while a large body is still on its way
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.send(body)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())


@contextlib.contextmanager
def browsing(box: Box, certificate: str) -> Iterator[Browser]:
    """A browser on this machine whose connections end at the box's ports 443 and 80."""
    ports = {remote: _free_port() for remote in (443, 80)}
    forwards = [word for remote, local in ports.items() for word in ("-L", f"127.0.0.1:{local}:127.0.0.1:{remote}")]
    name = box.outputs.hosts[0].name
    argv = [
        "ssh",
        "-F",
        str(box.ssh_config),
        "-o",
        "ControlPath=none",
        "-o",
        "ExitOnForwardFailure=yes",
        "-N",
        *forwards,
    ]
    tunnel = subprocess.Popen([*argv, name], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for port in ports.values():
            _wait_for(port, tunnel)
        yield Browser(ports[443], ports[80], certificate)
    finally:
        tunnel.terminate()
        tunnel.wait()


@contextlib.contextmanager
def application(box: Box, port: int) -> Iterator[None]:
    """The echoing application on the box's loopback."""
    unit = f"role-test-echo-{port}"
    source = ECHO.replace("PORT", str(port))
    box.succeed(
        f"cat > /tmp/{unit}.py <<'PROGRAM'\n{source}\nPROGRAM\n"
        f"systemd-run -q --collect -u {unit} python3 /tmp/{unit}.py"
    )
    box.succeed(f"for _ in $(seq 100); do ss -ltnH sport = :{port} | grep -q . && exit 0; sleep 0.1; done; exit 1")
    try:
        yield
    finally:
        box.command(f"systemctl stop {unit}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _wait_for(port: int, tunnel: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        assert tunnel.poll() is None, "the SSH tunnel to the box ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise AssertionError("the SSH tunnel to the box does not open")
