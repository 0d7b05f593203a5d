# SPDX-License-Identifier: MIT
"""A small caching HTTP proxy for apt, for hosts that have no route out.

Run as a script of its own, `python3 aptproxy.py CONFIG.json`, with the standard library only: it outlives the command
that started it and must not depend on that command's environment. It serves the mirrors named in its configuration
and nothing else. What can never change (pool/, by-hash/) comes from the cache for ever; indexes are revalidated, and
come from the cache when the outside cannot be reached. That last point is why it is not apt-cacher-ng, whose offline
mode is a setting made beforehand.

Configuration: `listen` [address, port]; `cache` directory; `mirrors` {prefix the hosts ask for: prefix to fetch};
`proxies` {scheme: url} and `ca_file` as the outer machine's apt has them; `keep_days` for files nobody asked for.
"""

from __future__ import annotations

import base64
import contextlib
import email.utils
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

#: How long the mirror may keep silent; less where there is an older copy to serve.
SILENCE_SECONDS = 30.0
SILENCE_SECONDS_CACHED = 8.0
#: After the outside did not answer, cached indexes are served without asking again for this long.
RETRY_OUTSIDE_SECONDS = 30
IMMUTABLE = re.compile(r"/(pool|by-hash)/")
SAFE_PATH = re.compile(r"[A-Za-z0-9._~+:%,=/-]+")


class Refused(Exception):
    """The request is for something this proxy does not serve."""


def split_login(url: str) -> tuple[str, str]:
    """The address without its credentials, and the header that carries them ("" without any)."""
    parts = urllib.parse.urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, ""
    encoded = base64.b64encode(urllib.parse.unquote(login).encode()).decode()
    return urllib.parse.urlunsplit(parts._replace(netloc=host)), f"Basic {encoded}"


class Cache:
    """Files by URL; a file's mtime is the mirror's Last-Modified, its atime the last use."""

    def __init__(self, root: Path, keep_days: int = 60):
        self.root = root
        self.keep_days = keep_days

    def path(self, url: str) -> Path:
        parts = urllib.parse.urlsplit(url)
        names = [parts.netloc, *parts.path.lstrip("/").split("/")]
        if parts.query or any(name in ("", ".", "..") for name in names) or not SAFE_PATH.fullmatch(parts.path):
            raise Refused(f"not a package path: {url}")
        return self.root.joinpath(*names)

    def used(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            os.utime(path, (time.time(), path.stat().st_mtime))

    def prune(self) -> None:
        """Remove what nobody asked for in `keep_days`, and what an interrupted download left."""
        oldest = time.time() - self.keep_days * 86400
        for path in self.root.rglob("*"):
            with contextlib.suppress(OSError):
                left_over = path.name.startswith(".part-") and path.stat().st_mtime < time.time() - 3600
                if path.is_file() and (left_over or path.stat().st_atime < oldest):
                    path.unlink()


class MirrorRequest(urllib.request.Request):
    """A request that can only go to a web server: urllib would open file:/ as readily."""

    def __init__(self, url: str, headers: dict[str, str]):
        if not url.startswith(("http://", "https://")):
            raise Refused(f"a mirror is reached by http or https: {url}")
        super().__init__(url, headers=headers)


class Upstream:
    """The mirrors, asked the way the outer machine's own apt would ask them."""

    def __init__(self, config: dict[str, Any]):
        self.mirrors: dict[str, str] = config["mirrors"]
        context = ssl.create_default_context(cafile=config.get("ca_file"))
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler(config.get("proxies", {})), urllib.request.HTTPSHandler(context=context)
        )
        self.silent_until = 0.0

    def translate(self, url: str) -> str:
        for asked, real in self.mirrors.items():
            if url.startswith(asked):
                return real + url[len(asked) :]
        raise Refused(f"not one of the mirrors of this suite: {url}")

    def open(self, url: str, modified_since: float | None) -> http.client.HTTPResponse:
        address, login = split_login(self.translate(url))
        request = MirrorRequest(address, headers={"User-Agent": "suite-deploy apt cache"})
        if login:
            request.add_header("Authorization", login)
        seconds = SILENCE_SECONDS
        if modified_since is not None:
            seconds = SILENCE_SECONDS_CACHED
            request.add_header("If-Modified-Since", email.utils.formatdate(modified_since, usegmt=True))
        response: http.client.HTTPResponse = self.opener.open(request, timeout=seconds)
        return response


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server
    client_gone = False

    def do_GET(self) -> None:
        try:
            self.server.upstream.translate(self.path)
            path = self.server.cache.path(self.path)
        except Refused as error:
            self.send_error(403, str(error))
            return
        if path.is_file() and (IMMUTABLE.search(self.path) or time.monotonic() < self.server.upstream.silent_until):
            self.send_file(path)
            return
        self.fetch(path)

    do_HEAD = do_GET

    def fetch(self, path: Path) -> None:
        cached = path.stat().st_mtime if path.is_file() else None
        try:
            response = self.server.upstream.open(self.path, cached)
        except urllib.error.HTTPError as error:
            if cached is not None and (error.code == 304 or error.code >= 500):
                self.send_file(path)
            else:
                self.send_error(error.code, f"{self.path}: {error.reason}")
            return
        except (OSError, http.client.HTTPException) as error:
            self.server.upstream.silent_until = time.monotonic() + RETRY_OUTSIDE_SECONDS
            if cached is not None:
                self.send_file(path)
            else:
                self.send_error(504, f"{self.path} is not cached and the mirror cannot be reached: {error}")
            return
        with response:
            self.store_and_send(response, path)

    def store_and_send(self, response: http.client.HTTPResponse, path: Path) -> None:
        length = response.headers.get("Content-Length")
        modified = response.headers.get("Last-Modified")
        stamp = email.utils.parsedate_to_datetime(modified).timestamp() if modified else time.time()
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".part-", delete=False) as part:
            try:
                if length is None:
                    # Without a length the client is told it only once everything is here.
                    shutil.copyfileobj(response, part)
                    received, last = part.tell(), b""
                else:
                    self.head(int(length), stamp)
                    received, last = self.copy_to_both(response, part)
                complete = length is None or received == int(length)
                if complete:
                    part.flush()
                    os.fchmod(part.fileno(), 0o644)
                    os.utime(part.name, (time.time(), stamp))
                    Path(part.name).replace(path)
            finally:
                Path(part.name).unlink(missing_ok=True)
        if not complete:
            self.close_connection = True
        elif length is None:
            self.send_file(path)
        else:
            self.pass_on(last)

    def copy_to_both(self, response: http.client.HTTPResponse, part: Any) -> tuple[int, bytes]:
        """Pass the body on as it arrives. Returns its length and the last piece, which the client gets once the file is
        in its place: whoever has the whole answer finds it cached."""
        received, last = 0, b""
        while chunk := response.read(1 << 16):
            received += len(chunk)
            part.write(chunk)
            self.pass_on(last)
            last = chunk
        return received, last

    def pass_on(self, chunk: bytes) -> None:
        """Send a piece to the client; one that went away does not stop the download."""
        if self.command == "GET" and not self.client_gone:
            try:
                self.wfile.write(chunk)
            except OSError:
                self.client_gone = self.close_connection = True

    def send_file(self, path: Path) -> None:
        self.server.cache.used(path)
        with path.open("rb") as body:
            stat = os.fstat(body.fileno())
            since = self.headers.get("If-Modified-Since")
            if since and email.utils.parsedate_to_datetime(since).timestamp() >= int(stat.st_mtime):
                self.send_response(304)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.head(stat.st_size, stat.st_mtime)
            if self.command == "GET":
                shutil.copyfileobj(body, self.wfile, 1 << 16)

    def head(self, length: int, modified: float) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Last-Modified", email.utils.formatdate(modified, usegmt=True))
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        sys.stderr.write(f"{self.log_date_time_string()} {self.client_address[0]} {format % args}\n")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, config: dict[str, Any]):
        self.cache = Cache(Path(config["cache"]), config.get("keep_days", 60))
        self.upstream = Upstream(config)
        super().__init__((config["listen"][0], config["listen"][1]), Handler)


def main(arguments: list[str]) -> int:
    config = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    server = Server(config)
    threading.Thread(target=server.cache.prune, daemon=True).start()
    # shutdown() waits for the loop it is called from: only another thread can call it.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown, daemon=True).start())
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
