# SPDX-License-Identifier: MIT
"""What an application and a stranger see through the edge."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.roles.box import Box
from tests.roles.edge.site import APP, AWKWARD, DOMAIN, Variables
from tests.roles.web import Browser

pytestmark = pytest.mark.needs_root


class TestRoutes:
    @pytest.mark.parametrize(
        ("target", "status"),
        [
            ("/", 200),
            ("/anything", 200),
            ("/admin", 404),
            ("/admin/", 404),
            ("/administration", 404),
            ("/api/public", 404),
            ("/api/publicly", 200),
            ("/api/private", 404),
            ("/api/private/x", 404),
            ("/api/private/not", 200),
            ("/old", 302),
        ],
    )
    def test_exact_then_deny_then_regex_then_longest_prefix(self, browser: Browser, target: str, status: int) -> None:
        assert browser.ask(APP, target).status == status

    def test_their_order_in_the_list_does_not_matter(self, edge: Box, wanted: Variables) -> None:
        turned = [{"hostname": site["hostname"], "routes": site["routes"][::-1]} for site in wanted["edge_sites"][::-1]]
        assert edge.converge("edge", "turned", wanted | {"edge_sites": turned}).changed == ()

    @pytest.mark.parametrize(
        "target",
        [
            "/raw/../admin",
            "/raw/%2e%2e/admin",
            "/raw/..%2fadmin",
            "/raw/.%2E/admin/x",
            "//admin",
            "/./admin",
            "/%61dmin",
            "/raw//../../admin",
            "/raw/..;/admin",
            "/raw/%2e%2e;a=b/admin",
            "/raw/%2e.%3b/admin",
            "/admin?x=/raw/",
            "/admin%3fx",
        ],
    )
    def test_no_spelling_gets_around_a_denied_path(self, browser: Browser, target: str) -> None:
        assert browser.ask(APP, target).status in {400, 404}

    def test_a_raw_route_forwards_the_target_byte_for_byte(self, browser: Browser) -> None:
        target = "/raw/%21a%2Fb//c/./d/%E9?x=%20&y=a+b"
        assert browser.ask(APP, target).seen["target"] == target

    def test_other_routes_forward_the_path_that_was_matched(self, browser: Browser) -> None:
        assert browser.ask(APP, "/x/../a%20b//%41%3Fq%25?x=%20/..").seen["target"] == "/a%20b/A%3Fq%25?x=%20/.."

    def test_a_redirect_keeps_its_dollar(self, browser: Browser) -> None:
        assert browser.ask(APP, "/old").headers["Location"] == "https://suite.example/new?price=$5"

    def test_bodies_are_limited_by_route(self, browser: Browser) -> None:
        body = bytes(11 * 1024 * 1024)
        assert browser.ask(APP, "/raw/", method="POST", body=body).seen["size"] == len(body)
        assert browser.ask(APP, "/x", method="POST", body=body).status == 413

    def test_websockets_pass_where_allowed_and_only_there(self, browser: Browser) -> None:
        upgrade = (
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: QQ==\r\n"
        )
        for target, first, last in (("/ws/", b"HTTP/1.1 101", b"hello"), ("/x", b"HTTP/1.1 200", b"}")):
            with browser.connect(APP) as connection:
                connection.sendall(f"GET {target} HTTP/1.1\r\nHost: {APP}\r\n{upgrade}\r\n".encode())
                got = b""
                while not got.endswith(last):
                    part = connection.recv(4000)
                    assert part, f"{target}: the connection ended after {got!r}"
                    got += part
                assert got.startswith(first)

    def test_nothing_of_a_fixed_answer_is_interpreted(self, browser: Browser) -> None:
        answer = browser.ask(DOMAIN, "/.well-known/a")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
        assert json.loads(answer.body) == AWKWARD
        assert answer.headers["Access-Control-Allow-Origin"] is None

    def test_a_fixed_answer_has_its_status_headers_and_cors(self, browser: Browser) -> None:
        answer = browser.ask(DOMAIN, "/.well-known/b")
        assert (answer.status, answer.text, answer.headers["X-Why"]) == (410, "gone", "moved; see $here")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        before = browser.ask(DOMAIN, "/.well-known/b", method="OPTIONS", headers={"Origin": "https://x.example"})
        assert (before.status, before.headers["Access-Control-Allow-Origin"]) == (204, "*")

    def test_cors_of_a_proxied_route_yields_to_the_application(self, browser: Browser) -> None:
        assert browser.ask(APP, "/shared/").headers.get_all("Access-Control-Allow-Origin") == ["*"]
        own = browser.ask(APP, "/shared/", headers={"X-Want": "Access-Control-Allow-Origin: https://a.example"})
        assert own.headers.get_all("Access-Control-Allow-Origin") == ["https://a.example"]
        assert browser.ask(APP, "/").headers["Access-Control-Allow-Origin"] is None

    def test_an_application_that_is_down_is_explained_in_both_languages(self, browser: Browser) -> None:
        for method in ("GET", "POST"):
            answer = browser.ask(APP, "/gone/", method=method)
            assert answer.status == 502
            assert "momentanément" in answer.text and "temporarily" in answer.text


class TestHeaders:
    def test_the_application_learns_only_what_the_edge_knows(self, browser: Browser, edge: Box) -> None:
        forged = {
            "X-Forwarded-For": "6.6.6.6",
            "X-Forwarded-Proto": "http",
            "X-Forwarded-Host": "evil.example",
            "X-Forwarded-Port": "1",
            "X-Forwarded-Prefix": "/evil",
            "X-Forwarded-User": "root",
            "X-Real-IP": "6.6.6.6",
            "Forwarded": "for=6.6.6.6",
            "X_Forwarded_For": "6.6.6.6",
            "X-Original-URL": "/admin",
            "X-Rewrite-URL": "/admin",
            "Remote-User": "root",
            "Proxy": "http://evil.example",
        }
        for target in ("/", "/raw/", "/ws/", "/shared/", "/api/publicly"):
            seen = browser.ask(APP, target, headers=dict(forged)).seen["headers"]
            forwarded = {name: value for name, value in seen.items() if name.startswith(("x-", "forwarded"))}
            assert forwarded == {
                "x-real-ip": "127.0.0.1",
                "x-forwarded-for": "127.0.0.1",
                "x-forwarded-proto": "https",
                "x-forwarded-host": APP,
                "x-forwarded-port": "443",
            }, target
            assert not {"proxy", "remote-user", "x_forwarded_for", "upgrade"} & set(seen)
            assert seen["host"] == APP

    def test_what_the_application_says_about_itself_wins(self, browser: Browser) -> None:
        plain = browser.ask(APP, "/").headers
        assert plain["X-Content-Type-Options"] == "nosniff"
        assert plain["X-Frame-Options"] == "SAMEORIGIN"
        assert plain["Referrer-Policy"] == "strict-origin-when-cross-origin"
        own = ["X-Frame-Options: DENY", "Referrer-Policy: no-referrer", "X-Content-Type-Options: nosniff"]
        said = browser.ask(APP, "/", headers={"X-Want": own}).headers
        for line in own:
            name, _, value = line.partition(": ")
            assert said.get_all(name) == [value]
        framed = browser.ask(APP, "/", headers={"X-Want": "Content-Security-Policy: frame-ancestors https://a.example"})
        assert framed.headers["X-Frame-Options"] is None

    def test_software_and_versions_stay_untold(self, browser: Browser) -> None:
        answer = browser.ask(APP, "/", headers={"X-Want": "X-Powered-By: Something 1.0"})
        assert answer.headers["Server"] == "nginx"
        assert answer.headers["X-Powered-By"] is None

    def test_an_application_cannot_reach_into_the_edges_files(self, browser: Browser) -> None:
        answer = browser.ask(APP, "/", headers={"X-Want": "X-Accel-Redirect: /.unavailable"})
        assert answer.status == 200 and answer.seen["target"] == "/"


def test_logs_say_what_happened_without_query_strings(edge: Box, browser: Browser) -> None:
    mark, code = uuid.uuid4().hex, uuid.uuid4().hex
    referer: dict[str, str | list[str]] = {"Referer": f"https://{APP}/?code={code}"}
    browser.ask(APP, f"/{mark}/fine?code={code}", headers=referer)
    browser.ask(APP, f"/gone/{mark}?code={code}", headers=referer)
    browser.ask_plainly(APP, f"/{mark}/plain?code={code}")
    edge.succeed(
        f"for _ in $(seq 50); do journalctl -t edge | grep -q '{mark}/plain' && exit 0; sleep 0.1; done; exit 1"
    )
    logged = [json.loads(line) for line in edge.succeed(f"journalctl -t edge -o cat | grep {mark}").splitlines()]
    assert {(line["path"], line["status"], line["upstream_status"]) for line in logged} == {
        (f"/{mark}/fine", 200, "200"),
        (f"/gone/{mark}", 502, "502"),
        (f"/{mark}/plain", 301, ""),
    }
    assert edge.command(f"journalctl -o cat | grep -F {code}; grep -rF {code} /var/log").stdout == ""
