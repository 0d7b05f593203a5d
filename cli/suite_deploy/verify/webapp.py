# SPDX-License-Identifier: MIT
"""A person in an application that keeps who is signed in in a session cookie and guards writing with a CSRF token."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import requests

from ..model.deployment import Component
from .people import Person
from .web import TIMEOUT, Browser, Web, query

#: Django's names for its cookie and its header
_CSRF_COOKIE, _CSRF_HEADER = "csrftoken", "X-CSRFToken"


class Tidy(Protocol):
    """Somebody who removes what they made."""

    def clean_up(self) -> None: ...


Someone = TypeVar("Someone", bound=Tidy)


@contextmanager
def newcomers(web: Web, make: Callable[[Browser], Someone]) -> Iterator[Callable[[], Someone]]:
    """A function that opens a browser for somebody new, as often as it is called; at the end they clean up."""
    with ExitStack() as stack:

        def newcomer() -> Someone:
            made = make(stack.enter_context(web.browser()))
            stack.callback(made.clean_up)
            return made

        yield newcomer


class WebApp:
    """One browser in one application."""

    def __init__(self, component: Component, browser: Browser, api: str):
        """api: path of the interface below the component's URL, with a slash at both ends."""
        self.url = component.url or ""
        self._name = component.description.title
        self.browser = browser
        self._api = api

    def sign_in(self, person: Person, path: str = "authenticate/") -> None:
        """Through the identity provider, as a person does. path: where the application sends people there."""
        page = self.browser.follow(self.browser.get(f"{self.url}{self._api}{path}"))
        sent = query(page.url)
        assert sent.get("code_challenge_method") == "S256", f"{self._name} asks the identity provider without PKCE"
        end = self.browser.sign_in(page, person.username, person.password.reveal())
        where = end.url.partition("?")[0]
        back = urlsplit(end.url).hostname == urlsplit(self.url).hostname
        assert back and end.status_code == 200, f"signing in to {self._name} ended at {where} ({end.status_code})"

    def call(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        """A request as the application's own pages make it; no redirect followed. path: below the interface, or /…"""
        target = f"{self.url}{path}" if path.startswith("/") else f"{self.url}{self._api}{path}"
        headers = {"Referer": f"{self.url}/", "Origin": self.url, **kwargs.pop("headers", {})}
        token = self.browser.session.cookies.get(_CSRF_COOKIE, domain=urlsplit(self.url).hostname)
        if token and method not in ("GET", "HEAD", "OPTIONS"):
            headers[_CSRF_HEADER] = token
        return self.browser.session.request(
            method, target, headers=headers, allow_redirects=False, timeout=TIMEOUT, **kwargs
        )

    def ask(self, method: str, path: str, **kwargs: Any) -> Any:
        """A request that must succeed; what it answered, decoded."""
        response = self.call(method, path, **kwargs)
        text = response.text[:300]
        assert response.ok, f"{self._name}: {method} {path.partition('?')[0]} answered {response.status_code}: {text}"
        return response.json() if response.content else None

    def wait_for(self, path: str, key: str, value: Any, patience: float = 20) -> dict[str, Any]:
        """Ask until the answer has `value` under `key`. patience: seconds."""
        deadline = time.monotonic() + patience
        while True:
            answer: dict[str, Any] = self.ask("GET", path)
            if answer.get(key) == value:
                return answer
            found = f"{self._name}: {key} is {answer.get(key)!r}, not {value!r}, after {patience:.0f} seconds"
            assert time.monotonic() < deadline, found
            time.sleep(0.3)
