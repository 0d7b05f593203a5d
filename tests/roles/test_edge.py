# SPDX-License-Identifier: MIT
"""Role `edge` on a real host: what a browser, an application and a stranger see."""

from __future__ import annotations

import itertools
import json
import re
import ssl
import uuid
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from suite_deploy.secrets.authority import new_certificate, new_key
from tests.checkout import ROOT
from tests.roles.authority import Authority
from tests.roles.box import Box, ConvergeFailed
from tests.roles.web import Browser, application, browsing

pytestmark = pytest.mark.needs_root

Variables = dict[str, Any]
PORT = 20990
UPSTREAM = f"http://127.0.0.1:{PORT}"
NOBODY = "http://127.0.0.1:20991"
DOMAIN, APP, OTHER = "suite.example", "app.suite.example", "other.suite.example"
AWKWARD = {"text": 'it\'s "quoted" \\ and $dollar ${brace}', "lines": "a\nb", "accent": "é"}


def proxy(path: str, **more: Any) -> Variables:
    return {"path": path, "kind": "proxy", "upstream": UPSTREAM} | more


def routes() -> list[Variables]:
    return [
        proxy("/"),
        proxy("/raw/", raw_uri=True, body_size="20m", timeout=120),
        proxy("/ws/", websocket=True),
        proxy("/shared/", cors=True),
        proxy("/gone/", upstream=NOBODY),
        {"path": "/admin", "kind": "deny"},
        {"path": "/api/private", "kind": "deny"},
        proxy("^/(api|admin)/", match="regex"),
        proxy("/api/private/not", match="exact"),
        {"path": "^/api/[a-z]{6}$", "match": "regex", "kind": "deny"},
        {"path": "/old", "match": "exact", "kind": "redirect", "redirect": "https://suite.example/new?price=$5"},
    ]


@pytest.fixture(scope="module")
def ca() -> Authority:
    key = new_key()
    return Authority(new_certificate(key, subject="role test", domains=["suite.example"]), key)


@pytest.fixture(scope="module")
def wanted(ca: Authority) -> Variables:
    return {
        "suite_secrets": {"suite.ca_cert": ca.certificate, "suite.ca_key": ca.key},
        "edge_sites": [
            {
                "hostname": DOMAIN,
                "routes": [
                    {"path": "/", "kind": "portal"},
                    {"path": "/.well-known/a", "match": "exact", "kind": "respond", "respond": {"json": AWKWARD}},
                    {
                        "path": "/.well-known/b",
                        "match": "exact",
                        "kind": "respond",
                        "cors": True,
                        "respond": {"text": "gone", "status": 410, "headers": {"X-Why": "moved; see $here"}},
                    },
                ],
            },
            {"hostname": APP, "routes": routes()},
        ],
        "edge_portal": {
            "domain": DOMAIN,
            "title": "Suite <Région> & Co",
            "account_url": "https://id.suite.example/account",
            "applications": [
                {
                    "name": {"en": "Chat", "fr": "Tchap"},
                    "description": {"en": "Talk & listen", "fr": "<b>Messagerie</b>"},
                    "url": "https://chat.suite.example/?a=1&b=2",
                }
            ],
        },
    }


@pytest.fixture(scope="module")
def edge(box: Box, wanted: Variables) -> Iterator[Box]:
    # what role host does in a suite: a new machine knows no packages yet
    box.succeed("apt-get -q update")
    box.converge("edge", "default", wanted)
    with application(box, PORT):
        yield box


@pytest.fixture(scope="module")
def browser(edge: Box, ca: Authority) -> Iterator[Browser]:
    with browsing(edge, ca.certificate) as browser:
        yield browser


def test_a_second_run_and_one_in_check_mode_change_nothing(edge: Box, wanted: Variables) -> None:
    assert edge.converge("edge", "default", wanted, run="second").changed == ()
    assert edge.converge("edge", "default", wanted, run="check", arguments=["--check"]).changed == ()


class TestTls:
    @pytest.mark.parametrize("name", [DOMAIN, APP])
    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_every_site_is_served_with_its_certificate(
        self, browser: Browser, name: str, version: ssl.TLSVersion
    ) -> None:
        with browser.connect(name, version=version) as connection:
            assert connection.version() == version.name.replace("_", ".")

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_older_protocols_are_refused(self, edge: Box) -> None:
        for old in ("-tls1", "-tls1_1"):
            offer = (
                f"openssl s_client -connect 127.0.0.1:443 -servername {APP} {old} -cipher 'ALL:@SECLEVEL=0' </dev/null"
            )
            assert edge.command(offer).returncode != 0, f"{old} was accepted"

    @pytest.mark.parametrize("name", [None, "unknown.suite.example", OTHER])
    def test_a_name_that_is_not_served_gets_no_handshake(self, browser: Browser, name: str | None) -> None:
        with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
            browser.connect(name).close()

    def test_one_name_in_the_handshake_and_another_in_the_request_gets_nothing(self, browser: Browser) -> None:
        with browser.connect(APP) as connection:
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {OTHER}\r\n\r\n".encode())
            assert connection.recv(1000) == b""

    def test_plain_http_leads_to_https_and_nowhere_else(self, browser: Browser) -> None:
        answer = browser.ask_plainly(APP, "/a%2Fb?c=d")
        assert (answer.status, answer.headers["Location"]) == (301, f"https://{APP}/a%2Fb?c=d")
        with pytest.raises(OSError):
            browser.ask_plainly(OTHER, "/")

    def test_browsers_are_told_to_insist_on_tls_once(self, browser: Browser) -> None:
        want: dict[str, str | list[str]] = {"X-Want": "Strict-Transport-Security: max-age=60; preload"}
        for host, target in itertools.product([DOMAIN], ["/", "/.well-known/a", "/.well-known/b", "/none"]):
            assert browser.ask(host, target).headers.get_all("Strict-Transport-Security") == ["max-age=31536000"]
        for target in ("/", "/admin", "/old", "/shared/", "/gone/"):
            answer = browser.ask(APP, target, headers=want)
            assert answer.headers.get_all("Strict-Transport-Security") == ["max-age=31536000"], target


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


class Page(HTMLParser):
    """The tags of a page, each with its attributes, and its text."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


class TestPortal:
    @pytest.mark.parametrize(
        ("accepts", "language"),
        [
            ("fr-FR,fr;q=0.9,en;q=0.8", "fr"),
            ("en-GB,en;q=0.9", "en"),
            ("de,en;q=0.8,fr;q=0.5", "en"),
            ("de, fr;q=0.8, en;q=0.5", "fr"),
            ("de", "fr"),
            ("", "fr"),
        ],
    )
    def test_it_speaks_the_first_of_its_languages_that_the_browser_asks_for(
        self, browser: Browser, accepts: str, language: str
    ) -> None:
        answer = browser.ask(DOMAIN, "/", headers={"Accept-Language": accepts})
        assert Page(answer.text).all("html")[0]["lang"] == language
        assert answer.headers["Vary"] == "Accept-Language"

    @pytest.mark.parametrize("language", ["fr", "en"])
    def test_each_language_has_an_address(self, browser: Browser, language: str) -> None:
        page = Page(browser.ask(DOMAIN, f"/{language}/").text)
        assert page.all("html")[0]["lang"] == language
        assert browser.ask(DOMAIN, f"/{language}").headers["Location"] == f"/{language}/"
        assert {link["href"] for link in page.all("a")} >= {"/fr/", "/en/"}

    def test_it_lists_the_applications_and_the_account(self, browser: Browser) -> None:
        page = Page(browser.ask(DOMAIN, "/fr/").text)
        links = [link["href"] for link in page.all("a")]
        assert "https://chat.suite.example/?a=1&b=2" in links
        assert "https://id.suite.example/account" in links
        assert "Mon compte" in page.text
        assert "Tchap" in page.text

    def test_what_operators_and_components_write_is_text(self, browser: Browser) -> None:
        page = Page(browser.ask(DOMAIN, "/fr/").text)
        assert "Suite <Région> & Co" in page.text and "<b>Messagerie</b>" in page.text
        assert not page.all("b")

    def test_it_loads_nothing_from_elsewhere_and_runs_nothing(self, browser: Browser) -> None:
        answer = browser.ask(DOMAIN, "/")
        policy = answer.headers["Content-Security-Policy"]
        assert policy and policy.startswith("default-src 'none'; style-src 'self'; img-src 'self'")
        page = Page(answer.text)
        assert not page.all("script")
        assert not [name for name, attributes in page.tags if "style" in attributes]
        loaded = [tag.get("src") for tag in page.all("img")]
        loaded += [tag["href"] for tag in page.all("link") if tag["rel"] != "alternate"]
        for address in loaded:
            assert address and browser.ask(DOMAIN, address).status == 200

    def test_a_screen_reader_finds_its_way(self, browser: Browser) -> None:
        page = Page(browser.ask(DOMAIN, "/en/").text)
        assert len(page.all("h1")) == len(page.all("main")) == len(page.all("title")) == 1
        assert page.all("a")[0]["href"] == f"#{page.all('main')[0]['id']}"
        assert all("alt" in image for image in page.all("img"))
        assert [link.get("lang") for link in page.all("a") if link["href"] in {"/fr/", "/en/"} and "hreflang" in link]

    def test_only_its_own_files_are_served(self, browser: Browser) -> None:
        for target in ("/fr.html", "/unavailable.html", "/.unavailable", "/../nginx.conf", "/index.html", "/de/"):
            assert browser.ask(DOMAIN, target).status in {400, 404}, target
        assert browser.ask(DOMAIN, "/", method="POST").status == 403


def test_the_portals_colours_keep_seven_to_one_in_both_schemes() -> None:
    css = (ROOT / "roles/edge/files/portal.css").read_text()
    schemes = [dict(re.findall(r"--(\w+): (#\w{6});", block)) for block in re.findall(r":root \{(.*?)\}", css, re.S)]
    assert len(schemes) == 2

    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for scheme in schemes:
        pairs = [*itertools.product(["text", "soft", "link"], ["page", "surface"]), ("link", "tint"), ("text", "tint")]
        for front, back in pairs:
            bright, dark = sorted([light(scheme[front]), light(scheme[back])], reverse=True)
            assert (bright + 0.05) / (dark + 0.05) >= 7, f"{front} on {back} in {scheme}"


class TestRuns:
    def test_a_configuration_nginx_refuses_never_replaces_the_one_that_works(
        self, edge: Box, browser: Browser, wanted: Variables
    ) -> None:
        before = edge.succeed("sha256sum /etc/nginx/nginx.conf")
        broken = [{"hostname": APP, "routes": [proxy("^/(unbalanced", match="regex")]}]
        with pytest.raises(ConvergeFailed, match="nginx"):
            edge.converge("edge", "broken", wanted | {"edge_sites": [*wanted["edge_sites"][:1], *broken]})
        assert edge.succeed("sha256sum /etc/nginx/nginx.conf") == before
        assert browser.ask(APP, "/").status == 200

    def test_routes_that_cannot_be_served_are_all_named_before_anything_changes(
        self, edge: Box, wanted: Variables
    ) -> None:
        wrong = {
            "/a": ({"kind": "proxy"}, "needs an upstream"),
            "/b": ({"kind": "proxy", "upstream": f"{UPSTREAM}/path"}, "needs an upstream"),
            "/c": ({"kind": "respond"}, "needs respond.json or respond.text"),
            "/d": ({"kind": "redirect"}, "needs a target"),
            "/e": (proxy("/e", auth="/auth"), "auth is not in this version"),
        }
        refused = [{"path": path} | route for path, (route, _) in wrong.items()]
        with pytest.raises(ConvergeFailed) as caught:
            edge.converge("edge", "refused", wanted | {"edge_sites": [{"hostname": APP, "routes": refused}]})
        for path, (_, says) in wrong.items():
            assert re.search(rf"- {path}: [^-]*{re.escape(says)}", str(caught.value)), path

    def test_an_unknown_kind_of_route_is_refused(self, edge: Box, wanted: Variables) -> None:
        sites = [{"hostname": APP, "routes": [{"path": "/", "kind": "nothing"}]}]
        with pytest.raises(ConvergeFailed, match="must be one of"):
            edge.converge("edge", "refused", wanted | {"edge_sites": sites})

    def test_what_an_interrupted_run_left_unloaded_the_next_one_loads(
        self, edge: Box, browser: Browser, wanted: Variables
    ) -> None:
        more = wanted | {
            "edge_sites": [*wanted["edge_sites"], {"hostname": OTHER, "routes": [proxy("/")]}],
            "edge_hsts_seconds": 77,
        }
        edge.converge("edge", "alternative", more, run="half", arguments=["--skip-tags", "run"])
        with pytest.raises(ssl.SSLError):
            browser.connect(OTHER).close()
        served_by = edge.succeed("systemctl show -P MainPID nginx")
        edge.converge("edge", "alternative", more, run="whole")
        edge.succeed("sleep 1")
        assert browser.ask(OTHER, "/").headers["Strict-Transport-Security"] == "max-age=77"
        assert edge.succeed("systemctl show -P MainPID nginx") == served_by, "nginx was restarted, not reloaded"
        edge.converge("edge", "default", wanted)
        edge.succeed("sleep 1")
        with pytest.raises(ssl.SSLError):
            browser.connect(OTHER).close()

    def test_a_stopped_nginx_and_changed_files_are_whole_after_one_run(
        self, edge: Box, browser: Browser, wanted: Variables
    ) -> None:
        edge.succeed(
            "systemctl disable -q --now nginx; rm /etc/suite/tls/edge.crt; chmod 0600 /etc/nginx/nginx.conf;"
            "echo >> /var/www/suite-portal/fr.html; echo >> /etc/systemd/system/nginx.service.d/suite.conf;"
            "head -c 99 /dev/urandom > /var/lib/suite/edge.loaded"
        )
        edge.converge("edge", "damaged", wanted)
        assert browser.ask(DOMAIN, "/").status == 200
        assert edge.succeed("systemctl is-enabled nginx; stat -c %a /etc/nginx/nginx.conf") == "enabled\n644"
        assert edge.converge("edge", "damaged", wanted, run="second").changed == ()
