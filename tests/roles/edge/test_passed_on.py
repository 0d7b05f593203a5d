# SPDX-License-Identifier: MIT
"""What edge passes on: guarded objects, names that are not HTTP, ways out of the suite."""

from __future__ import annotations

import json
import ssl
import time
import uuid
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.roles.authority import Authority
from tests.roles.box import Box
from tests.roles.edge.outside import BUCKET, OBJECTS, SIGNER, STORE_NAME
from tests.roles.edge.sigv4 import NO_BODY, Signer
from tests.roles.edge.site import APP, DOMAIN, Variables
from tests.roles.edge.world import (
    API,
    MEDIA,
    OWN,
    POLICY,
    RELAY_PORT,
    TURN,
    TURN_TOO,
    Insider,
    World,
    beyond,
    world,
)
from tests.roles.web import Answer, Browser

pytestmark = pytest.mark.needs_root
GOOD = {"Cookie": "session=good"}


@pytest.fixture(scope="module")
def around(
    edge: Box, authority: Authority, stranger: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder = "/usr/local/share/ca-certificates"
    edge.succeed(f"cat > {folder}/edge-test.crt <<'PEM'\n{authority.certificate}PEM\nupdate-ca-certificates")
    with world(edge, authority, stranger, tmp_path_factory.mktemp("world")) as around:
        yield around
    edge.succeed(f"rm {folder}/edge-test.crt; update-ca-certificates --fresh")


@pytest.fixture(scope="module")
def passing(edge: Box, ca: Authority, around: World, wanted: Variables) -> Iterator[Box]:
    served_by = edge.succeed("systemctl show -P MainPID nginx")
    edge.converge("edge", "passed-on", beyond(ca, around))
    assert edge.succeed("systemctl show -P MainPID nginx") == served_by, "nginx was restarted, not reloaded"
    settle(edge)
    yield edge
    edge.converge("edge", "default", wanted, run="back")
    settle(edge)
    assert edge.command("ls /run/suite-edge-*").stdout == "", "sockets nobody needs any more"


@pytest.fixture
def web(passing: Box, browser: Browser, around: World) -> Browser:
    around.clear()
    around.names.deaf = False
    around.names.addresses = dict.fromkeys(
        ["s3.provider.example", "other.provider.example", API, "smtp.provider.example"], around.address
    )
    return browser


@pytest.fixture
def insider(passing: Box, web: Browser) -> Insider:
    return Insider(passing)


def settle(box: Box) -> None:
    """A reload is over once the old workers no longer accept."""
    box.succeed("sleep 1")


def fetch(web: Browser, key: str, *, method: str = "GET", below: str = "/media/", **headers: str) -> Answer:
    more: dict[str, str | list[str]] = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.ask(MEDIA, below + key, method=method, headers=dict(GOOD) | more)


def test_the_signatures_of_these_tests_are_those_amazon_publishes() -> None:
    published = Signer("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1")
    headers = {
        "host": "examplebucket.s3.amazonaws.com",
        "range": "bytes=0-9",
        "x-amz-content-sha256": NO_BODY,
        "x-amz-date": "20130524T000000Z",
    }
    signature = published.signature("GET", "/test.txt", headers, ";".join(sorted(headers)))
    assert signature == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"


class TestMedia:
    @pytest.mark.parametrize("below", ["/media/", "/far/media/"])
    @pytest.mark.parametrize("key", ["plain.txt", "a b/été (1) +%41&=;@~.png"])
    def test_a_file_comes_with_the_signature_that_the_application_made(
        self, web: Browser, below: str, key: str
    ) -> None:
        answer = fetch(web, quote(key, safe="/-_.~"), below=below)
        assert (answer.status, answer.body) == (200, OBJECTS[key])

    def test_the_application_is_asked_for_the_url_as_it_came(self, web: Browser, around: World) -> None:
        target = "plain%2Etxt?v=%20&x=1"
        web.ask(
            MEDIA,
            f"/media/{target}",
            headers=GOOD | {"X-Original-URL": "/media/other", "If-None-Match": '"tag"', "Authorization": "Bearer mine"},
        )
        (asked,) = around.guard.seen
        headers = asked["headers"]
        assert (asked["method"], asked["target"], asked["body"]) == ("GET", "/api/v1.0/media-auth/", b"")
        assert headers["x-original-url"] == f"/media/{target}"
        assert (headers["x-original-method"], headers["x-forwarded-proto"]) == ("GET", "https")
        assert (headers["host"], headers["cookie"], headers["authorization"]) == (MEDIA, "session=good", "Bearer mine")
        assert "if-none-match" not in headers and headers["x-real-ip"] == "127.0.0.1"

    def test_the_store_learns_what_it_needs_and_no_more(self, web: Browser, around: World) -> None:
        mine = {
            "Authorization": "Bearer mine",
            "X-Amz-Acl": "public-read",
            "Origin": "https://a.example",
            "Range": "bytes=1-2",
        }
        answer = web.ask(MEDIA, "/media/plain.txt?versionId=1&x=2", headers=GOOD | mine, body=b"body")
        assert (answer.status, answer.body) == (206, b"la")
        (got,) = around.store.seen
        assert (got["method"], got["target"], got["body"]) == ("GET", f"/{BUCKET}/plain.txt", b"")
        assert set(got["headers"]) == {
            "host",
            "connection",
            "authorization",
            "x-amz-date",
            "x-amz-content-sha256",
            "range",
        }
        assert got["headers"]["host"] == STORE_NAME

    def test_what_has_not_changed_is_not_sent_again(self, web: Browser) -> None:
        assert fetch(web, "plain.txt", If_None_Match='"tag"').status == 304

    def test_head_is_answered_without_a_body(self, web: Browser, around: World) -> None:
        answer = fetch(web, "plain.txt", method="HEAD")
        assert (answer.status, answer.headers["Content-Length"], answer.body) == (200, "5", b"")

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
    def test_nothing_but_reading_reaches_anyone(self, web: Browser, around: World, method: str) -> None:
        assert fetch(web, "plain.txt", method=method).status == 405
        assert around.guard.seen == around.store.seen == []

    def test_the_headers_of_the_route_replace_the_stores(self, web: Browser) -> None:
        headers = fetch(web, "plain.txt").headers
        assert headers.get_all("Content-Security-Policy") == [POLICY]
        assert headers.get_all("Strict-Transport-Security") == ["max-age=31536000"]
        assert headers["Set-Cookie"] is None and headers["X-Content-Type-Options"] == "nosniff"

    @pytest.mark.parametrize(
        ("behaviour", "status"), [("", 401), ("403", 403), ("404", 502), ("500", 502), ("302", 502)]
    )
    def test_a_no_is_given_on_and_anything_else_is_explained(
        self, web: Browser, around: World, behaviour: str, status: int
    ) -> None:
        answer = web.ask(MEDIA, "/media/plain.txt", headers={"Cookie": f"session={behaviour}"})
        assert answer.status == status
        assert ("momentanément" in answer.text) == (status == 502)
        assert "says the application" not in answer.text and around.store.seen == []

    def test_a_store_that_refuses_or_has_nothing_tells_people_no_more_than_that(self, web: Browser) -> None:
        forged = web.ask(MEDIA, "/media/plain.txt", headers={"Cookie": "session=forged"})
        missing = fetch(web, "none.txt")
        assert (forged.status, missing.status) == (403, 404)
        for answer in (forged, missing):
            assert SIGNER.access_key not in answer.text and BUCKET not in answer.text and "Error" not in answer.text

    @pytest.mark.parametrize("below", ["odd", "misnamed", "nowhere", "unguarded", "empty"])
    def test_who_is_down_or_not_who_it_should_be_is_explained(self, web: Browser, around: World, below: str) -> None:
        answer = fetch(web, "plain.txt", below=f"/{below}/media/")
        assert answer.status == 502 and "momentanément" in answer.text
        assert around.far_store.seen == around.odd_store.seen == around.store.seen == []

    @pytest.mark.parametrize(
        "target",
        [
            "/media/a/../plain.txt",
            "/media/./plain.txt",
            "/media/a/%2e%2E/plain.txt",
            "/media/a%2F..%2Fplain.txt",
            "/media/a/../../media/plain.txt",
            "/media/a/..;/plain.txt",
            "/x/../media/plain.txt",
            "//media/plain.txt",
        ],
    )
    def test_a_path_that_means_another_is_refused(self, web: Browser, around: World, target: str) -> None:
        assert web.ask(MEDIA, target, headers=dict(GOOD)).status == 400
        assert around.guard.seen == around.store.seen == []

    def test_dots_in_a_name_are_a_name(self, web: Browser) -> None:
        assert fetch(web, "deep/er/..x").body == b"dots"

    def test_nobody_asks_the_application_through_the_inner_location(self, web: Browser, around: World) -> None:
        inner = f"/.authorise/{around.address}:{around.guard.port}/api/v1.0/media-auth/"
        assert web.ask(MEDIA, inner, headers=dict(GOOD)).status == 404
        assert around.guard.seen == []


class TestRoutes:
    def test_a_prefix_is_replaced_and_the_rest_left_as_it_is(self, web: Browser) -> None:
        seen = web.ask(MEDIA, "/deep/files/%2Fa//b%20?x=%20").seen
        assert seen["target"] == "/b$1/files/%2Fa//b%20?x=%20"
        assert seen["headers"]["host"] == "h.example"

    def test_a_store_gets_requests_as_they_come(self, web: Browser) -> None:
        signed: dict[str, str | list[str]] = {"X-Amz-Meta-Is_Unsafe": "true"}
        seen = web.ask(MEDIA, "/signed/%2Fa//b?x", headers=signed).seen
        assert (seen["target"], seen["headers"]["x-amz-meta-is_unsafe"]) == ("/signed/%2Fa//b?x", "true")
        assert "x-amz-meta-is_unsafe" not in web.ask(APP, "/", headers=signed).seen["headers"]

    def test_a_body_for_a_store_is_not_kept_here_first(self, web: Browser) -> None:
        with web.connect(MEDIA) as connection:
            head = f"PUT /signed/put/x HTTP/1.1\r\nHost: {MEDIA}\r\nContent-Length: 1000000\r\n\r\n"
            connection.sendall(head.encode() + b"first part")
            # this store takes none, and says so at once; a spooling proxy would still wait for the rest
            assert connection.recv(100).startswith(b"HTTP/1.1 501")

    def test_the_same_room_is_always_on_the_same_server(self, web: Browser) -> None:
        def where(room: str) -> str:
            return str(web.ask(MEDIA, f"/rooms/?a=b&room={room}").seen["name"])

        first = {room: where(room) for room in map(str, range(12))}
        assert set(first.values()) == {"first", "second"}
        assert {room: where(room) for room in first} == first

    def test_what_is_internal_is_not_there_for_others(self, web: Browser, insider: Insider, ca: Authority) -> None:
        assert web.ask(MEDIA, "/inside/").status == 404
        forged: dict[str, str | list[str]] = {"X-Forwarded-For": OWN, "X-Real-IP": OWN}
        assert web.ask(MEDIA, "/inside/", headers=forged).status == 404
        answer = insider.asks(MEDIA, "/inside/", ca.certificate)
        assert answer.startswith("HTTP/1.1 200") and "X-Frame-Options: DENY" in answer
        assert answer.count("X-Frame-Options") == 1


class TestNames:
    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_tls_for_a_turn_name_ends_here_and_plain_bytes_go_on(self, web: Browser, version: ssl.TLSVersion) -> None:
        with web.connect(TURN, version=version) as connection:
            assert connection.recv(100) == b"220 hello\n"
            connection.sendall(b"bytes \0 of any kind")
            assert connection.recv(100) == b"BYTES \0 OF ANY KIND"

    def test_each_of_these_names_has_its_own_way(self, web: Browser) -> None:
        with web.connect(TURN_TOO) as connection:
            assert connection.recv(100) == b""

    @pytest.mark.parametrize("name", [None, "unknown.suite.example", "other.suite.example", API])
    def test_other_names_get_no_handshake(self, web: Browser, name: str | None) -> None:
        with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
            web.connect(name).close()

    def test_sites_are_served_as_before(self, web: Browser) -> None:
        assert web.ask(DOMAIN, "/").status == web.ask(APP, "/").status == 200
        with web.connect(APP) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: " + TURN.encode() + b"\r\n\r\n")
            assert connection.recv(1000) == b""

    def test_the_clients_address_stays_what_it_is(self, passing: Box, insider: Insider, ca: Authority) -> None:
        mark = uuid.uuid4().hex
        answer = insider.asks(APP, f"/{mark}", ca.certificate, source="127.0.0.77")
        seen = json.loads(answer.partition("\r\n\r\n")[2])["headers"]
        assert seen["x-real-ip"] == seen["x-forwarded-for"] == "127.0.0.77"
        line = f"journalctl -t edge -o cat | grep {mark}"
        passing.succeed(f"for _ in $(seq 50); do {line} >/dev/null && exit 0; sleep 0.1; done; exit 1")
        assert json.loads(passing.succeed(line))["client"] == "127.0.0.77"


class TestWaysOut:
    def asks(self, insider: Insider, stranger: Authority, source: str = OWN) -> str:
        return insider.asks(API, "/v1?q", stranger.certificate, source)

    def test_a_name_outside_is_passed_unopened_from_the_suites_own_addresses(
        self, insider: Insider, stranger: Authority
    ) -> None:
        answer = self.asks(insider, stranger)
        assert '"target": "/v1?q"' in answer and '"name": "api"' in answer, "not the real host's own certificate"

    def test_for_anyone_else_it_is_a_name_that_is_not_served(self, insider: Insider, stranger: Authority) -> None:
        assert "unrecognized name" in self.asks(insider, stranger, "127.0.0.1").lower().replace("_", " ")

    def test_names_are_asked_for_again_and_not_needed_at_start(
        self, passing: Box, insider: Insider, stranger: Authority, around: World
    ) -> None:
        around.names.addresses[API] = "127.0.0.1"
        time.sleep(2)
        assert "HTTP" not in self.asks(insider, stranger), "the old address still counts"
        around.names.deaf = True
        passing.succeed("systemctl restart nginx")
        assert insider.box.succeed("systemctl is-active nginx") == "active"
        assert "HTTP" not in self.asks(insider, stranger)
        around.names.deaf, around.names.addresses[API] = False, around.address
        assert '"name": "api"' in self.asks(insider, stranger)

    def test_a_relay_is_for_the_suites_own_addresses(self, insider: Insider) -> None:
        greeted = insider.hears("ehlo\n", until="EHLO", port=RELAY_PORT)
        assert greeted == {"heard": "220 hello\nEHLO\n"}
        refused = insider.hears("ehlo\n", until="EHLO", port=RELAY_PORT, source="127.0.0.1")
        assert not refused.get("heard")


class TestRuns:
    def test_a_second_run_changes_nothing_whatever_the_order(self, passing: Box, ca: Authority, around: World) -> None:
        again = beyond(ca, around)
        for name in ("edge_sites", "edge_tls_names", "edge_passthrough", "edge_relays", "edge_internal_sources"):
            again[name] = again[name][::-1]
        assert passing.converge("edge", "passed-on", again, run="second").changed == ()

    def test_a_killed_nginx_comes_back_by_itself(self, passing: Box, web: Browser) -> None:
        passing.succeed("systemctl kill --signal=KILL nginx; sleep 4; systemctl is-active nginx")
        with web.connect(TURN) as connection:
            assert connection.recv(100) == b"220 hello\n"
        assert web.ask(APP, "/").status == 200
