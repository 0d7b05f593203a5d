# SPDX-License-Identifier: MIT
"""A web client for checks: names lead to edge without /etc/hosts, only the suite's certificates count, forms work."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter

TIMEOUT = 30
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_HOPS = 15


class LeftTheSuite(AssertionError):
    """A page or redirect led to a host that is not part of the suite."""


class _PinnedAdapter(HTTPAdapter):
    """Connects to the address a name must have; the certificate is still checked against the name."""

    def __init__(self, addresses: Mapping[str, str], ports: Mapping[str, int]):
        """ports: URL scheme → port at the address, where it is not the usual one."""
        self._addresses = addresses
        self._ports = ports
        super().__init__(max_retries=0)

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        host, known = super().build_connection_pool_key_attributes(request, verify, cert)
        pool: dict[str, Any] = dict(known)
        name = host["host"]
        if name not in self._addresses:
            raise LeftTheSuite(f"{request.url.partition('?')[0]} is on {name}, which is no host of this suite")
        if host["scheme"] == "https":
            pool |= {"server_hostname": name, "assert_hostname": name}
        port = self._ports.get(host["scheme"], host["port"])
        return {**host, "host": self._addresses[name], "port": port}, pool

    def add_headers(self, request: Any, **kwargs: Any) -> None:
        request.headers["Host"] = urlsplit(request.url).netloc


class _PinnedConnection(http.client.HTTPSConnection):
    """Connects to the address a name must have."""

    def __init__(self, name: str, address: str, port: int, context: ssl.SSLContext):
        super().__init__(name, timeout=TIMEOUT, context=context)
        self._place, self._tls = (address, port), context

    def connect(self) -> None:
        plain = socket.create_connection(self._place, timeout=TIMEOUT)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)


@dataclass(frozen=True)
class Form:
    """A form of a page: where it goes and what stands in it, hidden fields included."""

    action: str
    method: str
    fields: Mapping[str, str]
    password: str | None

    @property
    def text(self) -> str | None:
        """The first field a person types a name into."""
        return next((name for name in self.fields if name in ("username", "email", "login")), None)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, Any]] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        if tag == "form":
            method = values.get("method", "get").lower()
            self.found.append({"action": values.get("action", ""), "method": method, "fields": {}, "password": None})
            self._open = True
        elif tag == "input" and self._open and values.get("name"):
            kind = values.get("type", "text")
            if kind == "password":
                self.found[-1]["password"] = values["name"]
            if kind not in ("submit", "button", "checkbox", "radio"):
                self.found[-1]["fields"][values["name"]] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = False


def forms(response: requests.Response) -> tuple[Form, ...]:
    """The forms of a page, actions made absolute."""
    parser = _Forms()
    parser.feed(response.text)
    return tuple(Form(**{**form, "action": urljoin(response.url, form["action"])}) for form in parser.found)


def login_form(response: requests.Response) -> Form | None:
    """The form that asks for a name and a password, if the page has one."""
    return next((form for form in forms(response) if form.password and form.text), None)


def query(url: str) -> dict[str, str]:
    """The parameters of a URL, one value each."""
    return {key: values[0] for key, values in parse_qs(urlsplit(url).query, keep_blank_values=True).items()}


class Browser:
    """One person's browser: cookies, redirects followed by hand, forms filled in."""

    def __init__(self, session: requests.Session):
        self.session = session

    def get(self, url: str, **kwargs: Any) -> requests.Response:
        """One request, no redirect followed."""
        return self.session.get(url, allow_redirects=False, timeout=TIMEOUT, **kwargs)

    def post(self, url: str, **kwargs: Any) -> requests.Response:
        """One request, no redirect followed."""
        return self.session.post(url, allow_redirects=False, timeout=TIMEOUT, **kwargs)

    def follow(self, response: requests.Response, stop: str = "") -> requests.Response:
        """Follow redirects until a page; a redirect to a URL that starts with `stop` is returned, not followed."""
        for _ in range(_MOST_HOPS):
            if response.status_code not in _REDIRECTS:
                return response
            target = urljoin(response.url, response.headers["Location"])
            if stop and target.startswith(stop):
                return response
            response = self.get(target)
        raise AssertionError(f"more than {_MOST_HOPS} redirects, the last one to {response.url.partition('?')[0]}")

    def sign_in(self, page: requests.Response, username: str, password: str, stop: str = "") -> requests.Response:
        """Fill in and send the login form of a page, then follow."""
        form = login_form(page)
        where = page.url.partition("?")[0]
        assert form is not None and form.text and form.password, f"{where} ({page.status_code}) shows no login form"
        data = {**form.fields, form.text: username, form.password: password}
        return self.follow(self.post(form.action, data=data), stop)


class Web:
    """Makes sessions that reach the suite's public names at the address they must have."""

    def __init__(self, addresses: Mapping[str, str], trust: str | bool, ports: Mapping[str, int] | None = None):
        """addresses: name → address. trust: CA bundle file, or True for the system's own.

        ports: URL scheme → port of the edge, where it is not the usual one.
        """
        self.addresses = addresses
        self.trust = trust
        self.ports = {"https": 443, "http": 80, **(ports or {})}

    @contextmanager
    def session(self) -> Iterator[requests.Session]:
        """A session without cookies; proxies and trust settings of the environment do not count."""
        with requests.Session() as session:
            session.trust_env = False
            session.verify = self.trust
            for scheme in ("https://", "http://"):
                session.mount(scheme, _PinnedAdapter(self.addresses, self.ports))
            yield session

    def statuses(self, name: str, targets: Iterable[str]) -> dict[str, int]:
        """What a GET of exactly each request target is answered with; client libraries would tidy the paths up."""
        context = ssl.create_default_context(cafile=self.trust if isinstance(self.trust, str) else None)
        connection = _PinnedConnection(name, self.addresses[name], self.ports["https"], context)
        found = {}
        try:
            for target in targets:
                # opens the connection again by itself when the server has closed it
                connection.putrequest("GET", target)
                connection.endheaders()
                with connection.getresponse() as response:
                    response.read()
                    found[target] = response.status
        finally:
            connection.close()
        return found

    @contextmanager
    def browser(self) -> Iterator[Browser]:
        """A browser of its own, closed at the end."""
        with self.session() as session:
            yield Browser(session)
