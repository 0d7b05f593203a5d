# SPDX-License-Identifier: MIT
"""Who gets a connection, and with which protocol."""

from __future__ import annotations

import itertools
import ssl

import pytest

from tests.roles.box import Box
from tests.roles.edge.site import APP, DOMAIN, OTHER
from tests.roles.web import Browser

pytestmark = pytest.mark.needs_root


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
