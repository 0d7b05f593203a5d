# SPDX-License-Identifier: MIT
"""A relay between this process and a cloud without TLS, which can be cut: open and new connections reset."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import socket
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

#: headers of one hop
_HOP = {"connection", "proxy-connection", "keep-alive", "transfer-encoding", "te", "upgrade"}
#: seconds the cloud may take for one answer
_PATIENCE = 600


class Relay:
    """Passes requests on until one that `cut_at` names was answered; from then on nothing gets through until `mend`."""

    def __init__(self) -> None:
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                relay.pass_on(self)

            do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._lock = threading.Lock()
        self._at: tuple[str, re.Pattern[str]] | None = None
        self._left, self._answered, self.cut = 0, True, False
        #: requests that were refused while it was cut
        self.refused = 0

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        """Its URL, for `http_proxy`."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{self._server.server_address[1]}"
        finally:
            self._server.shutdown()
            self._server.server_close()

    def cut_at(self, method: str, path: str, *, times: int = 1, answered: bool = True) -> None:
        """Cut once the cloud has answered `times` such requests; path: a pattern of its end.

        answered: whether that answer still gets through; otherwise the cloud has done it and nobody here knows.
        """
        self._at, self._left, self._answered, self.refused = (method, re.compile(f"{path}$")), times, answered, 0

    def mend(self) -> None:
        """Let everything through again."""
        self._at, self.cut = None, False

    def pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        """One request. What began before the cut still gets its answer, so that one answer at most is lost."""
        if self.cut:
            self.refused += 1
            _reset(handler)
            return
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        target = urlsplit(handler.path)
        upstream = http.client.HTTPConnection(target.hostname or "", target.port or 80, timeout=_PATIENCE)
        try:
            headers = {name: value for name, value in handler.headers.items() if name.lower() not in _HOP}
            path = target.path + (f"?{target.query}" if target.query else "")
            upstream.request(handler.command, path, body or None, headers)
            answer = upstream.getresponse()
            content = answer.read()
        finally:
            upstream.close()
        if self._cuts(handler.command, target.path) and not self._answered:
            _reset(handler)
            return
        handler.send_response(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP | {"content-length", "date", "server"}:
                handler.send_header(name, value)
        length = answer.getheader("Content-Length") if handler.command == "HEAD" else None
        handler.send_header("Content-Length", length or str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def _cuts(self, method: str, path: str) -> bool:
        """Whether this request was the one."""
        with self._lock:
            if self._at is None or self.cut or method != self._at[0] or not self._at[1].search(path):
                return False
            self._left -= 1
            self.cut = self._left == 0
            return self.cut


def _reset(handler: BaseHTTPRequestHandler) -> None:
    """End the connection as a network does, without a word."""
    handler.close_connection = True
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # the stream's own buffers hold the socket open as well
    os.close(handler.connection.detach())
