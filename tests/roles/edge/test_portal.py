# SPDX-License-Identifier: MIT
"""The portal page: languages, links, accessibility, nothing from elsewhere."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser

import pytest

from tests.checkout import ROOT
from tests.roles.edge.site import DOMAIN
from tests.roles.web import Browser

pytestmark = pytest.mark.needs_root


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
