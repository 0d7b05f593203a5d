# SPDX-License-Identifier: MIT
"""The hosts' package cache: serves the suite's mirrors and nothing else, and works with the outside unreachable."""

from __future__ import annotations

import http.client
import os
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stacks.local import aptproxy

DATE = "Sat, 01 Aug 2026 10:00:00 GMT"
DEB = "/debian/pool/main/h/hello/hello_1.0-1%2bb1_amd64.deb"
INDEX = "/debian/dists/trixie/InRelease"


class Mirror(ThreadingHTTPServer):
    """A mirror that counts what it is asked for. truncate: bytes after which it breaks off. failing: answers 503."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), MirrorHandler)
        self.files = {DEB: b"package" * 1000, INDEX: b"index one"}
        self.asked: list[str] = []
        self.logins: list[str | None] = []
        self.truncate: int | None = None
        self.failing = False
        self.chunked = False
        self.modified = DATE


class MirrorHandler(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        mirror = self.server
        mirror.asked.append(self.path)
        mirror.logins.append(self.headers.get("Authorization"))
        if mirror.failing:
            self.send_error(503)
        elif self.path not in mirror.files:
            self.send_error(404)
        elif self.headers.get("If-Modified-Since") == mirror.modified:
            self.send_response(304)
            self.end_headers()
        else:
            body = mirror.files[self.path]
            self.send_response(200)
            if not mirror.chunked:
                self.send_header("Content-Length", str(len(body)))
            self.send_header("Last-Modified", mirror.modified)
            self.end_headers()
            self.wfile.write(body[: mirror.truncate])

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: the test's own output matters."""


def serve(server: ThreadingHTTPServer) -> None:
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    server = Mirror()
    serve(server)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def proxy(mirror: Mirror, tmp_path: Path) -> Iterator[aptproxy.Server]:
    port = mirror.server_address[1]
    real = f"http://user:pass%40word@127.0.0.1:{port}/debian/"
    mirrors = {"http://mirror.example/debian/": real}
    server = aptproxy.Server({"listen": ["127.0.0.1", 0], "cache": str(tmp_path / "cache"), "mirrors": mirrors})
    serve(server)
    yield server
    server.shutdown()
    server.server_close()


def get(proxy: aptproxy.Server, url: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """Ask as apt does: the whole address in the request line."""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.server_address[1], timeout=10)
    try:
        connection.request("GET", url, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def ask(proxy: aptproxy.Server, path: str) -> tuple[int, bytes]:
    return get(proxy, f"http://mirror.example{path}")


def test_a_package_is_fetched_once(proxy: aptproxy.Server, mirror: Mirror) -> None:
    assert ask(proxy, DEB) == ask(proxy, DEB) == (200, mirror.files[DEB])
    assert mirror.asked == [DEB]


def test_a_client_that_closes_after_each_answer_is_served_too(proxy: aptproxy.Server, mirror: Mirror) -> None:
    assert get(proxy, f"http://mirror.example{DEB}", {"Connection": "close"}) == (200, mirror.files[DEB])


def test_an_index_is_fetched_again_only_when_it_changed(proxy: aptproxy.Server, mirror: Mirror) -> None:
    assert ask(proxy, INDEX) == ask(proxy, INDEX) == (200, b"index one")
    assert len(mirror.asked) == 2, "it is asked about each time"
    mirror.files[INDEX], mirror.modified = b"index two", "Sat, 01 Aug 2026 11:00:00 GMT"
    assert ask(proxy, INDEX) == (200, b"index two")


def test_everything_seen_is_served_with_the_mirror_gone(proxy: aptproxy.Server, mirror: Mirror) -> None:
    ask(proxy, DEB), ask(proxy, INDEX)
    mirror.shutdown()
    mirror.server_close()
    assert ask(proxy, INDEX) == (200, b"index one")
    assert ask(proxy, DEB)[0] == 200
    status, said = ask(proxy, "/debian/pool/unseen.deb")
    assert status == 504 and b"cannot be reached" in said


def test_an_unreachable_outside_is_not_waited_for_each_time(
    proxy: aptproxy.Server, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(proxy, INDEX)
    tried = []

    def unreachable(url: str, since: float | None) -> http.client.HTTPResponse:
        tried.append(url)
        raise TimeoutError("timed out")

    monkeypatch.setattr(proxy.upstream, "open", unreachable)
    assert [ask(proxy, INDEX)[0] for _ in range(3)] == [200, 200, 200]
    assert len(tried) == 1


def test_a_failing_mirror_is_covered_by_the_cache(proxy: aptproxy.Server, mirror: Mirror) -> None:
    ask(proxy, INDEX)
    mirror.failing = True
    assert ask(proxy, INDEX) == (200, b"index one")
    assert ask(proxy, DEB)[0] == 503


def test_what_the_mirror_lacks_is_said_as_the_mirror_says_it(proxy: aptproxy.Server) -> None:
    assert ask(proxy, "/debian/dists/trixie/absent")[0] == 404


def test_a_download_that_broke_off_is_not_kept(proxy: aptproxy.Server, mirror: Mirror, tmp_path: Path) -> None:
    mirror.truncate = 100
    with pytest.raises(http.client.IncompleteRead):
        ask(proxy, DEB)
    mirror.truncate = None
    assert ask(proxy, DEB) == (200, mirror.files[DEB])
    assert not list((tmp_path / "cache").rglob(".part-*"))


def test_an_answer_without_length_is_complete(proxy: aptproxy.Server, mirror: Mirror) -> None:
    mirror.chunked = True
    assert ask(proxy, DEB) == ask(proxy, DEB) == (200, mirror.files[DEB])


def test_the_client_learns_that_nothing_changed(proxy: aptproxy.Server, mirror: Mirror) -> None:
    ask(proxy, INDEX)
    assert get(proxy, f"http://mirror.example{INDEX}", {"If-Modified-Since": DATE}) == (304, b"")
    old = {"If-Modified-Since": "Sat, 01 Aug 2026 09:00:00 GMT"}
    assert get(proxy, f"http://mirror.example{INDEX}", old) == (200, b"index one")


def test_a_nonsense_date_is_taken_for_none(proxy: aptproxy.Server) -> None:
    assert get(proxy, f"http://mirror.example{INDEX}", {"If-Modified-Since": "yesterday"})[0] == 200


def test_the_mirrors_login_goes_to_the_mirror(proxy: aptproxy.Server, mirror: Mirror) -> None:
    ask(proxy, INDEX)
    assert mirror.logins == ["Basic dXNlcjpwYXNzQHdvcmQ="]


@pytest.mark.parametrize(
    "url",
    [
        "http://elsewhere.example/debian/pool/a.deb",
        "http://mirror.example/other/pool/a.deb",
        "http://mirror.example.evil.example/debian/a",
        "http://mirror.example/debian/../../../etc/passwd",
        "http://mirror.example/debian/pool//a.deb",
        "http://mirror.example/debian/pool/a.deb?query",
        "http://mirror.example/debian/pool/%00",
        "http://mirror.example/debian/pool/.part-x",
        "/etc/passwd",
        "file:///etc/passwd",
    ],
)
def test_nothing_but_the_mirrors_is_served(proxy: aptproxy.Server, mirror: Mirror, tmp_path: Path, url: str) -> None:
    assert get(proxy, url)[0] in (403, 404)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_only_web_addresses_are_opened() -> None:
    with pytest.raises(aptproxy.Refused):
        aptproxy.MirrorRequest("file:///etc/passwd", {})


def test_connections_are_kept_for_the_next_request(proxy: aptproxy.Server) -> None:
    with socket.create_connection(("127.0.0.1", proxy.server_address[1]), timeout=10) as connection:
        request = f"GET http://mirror.example{INDEX} HTTP/1.1\r\nHost: mirror.example\r\n\r\n".encode()
        connection.sendall(request * 3)  # apt sends ahead
        received = b""
        while received.count(b"index one") < 3:
            part = connection.recv(65536)
            assert part, received
            received += part


def test_what_nobody_asked_for_is_removed(tmp_path: Path) -> None:
    cache = aptproxy.Cache(tmp_path, keep_days=10)
    old, used, part = tmp_path / "old.deb", tmp_path / "used.deb", tmp_path / ".part-x"
    for path in (old, used, part):
        path.write_text("x")
    long_ago = time.time() - 11 * 86400
    os.utime(old, (long_ago, long_ago))
    os.utime(used, (time.time(), long_ago))
    os.utime(part, (time.time(), long_ago))
    cache.prune()
    assert list(tmp_path.iterdir()) == [used]
