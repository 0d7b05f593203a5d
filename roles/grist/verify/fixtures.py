# SPDX-License-Identifier: MIT
"""People in Grist: signed in with a browser, or with the key of its API."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from suite_deploy.model.deployment import Component
from suite_deploy.secrets.value import Secret
from suite_deploy.verify.people import Person
from suite_deploy.verify.web import TIMEOUT, Browser, Web, query
from suite_deploy.verify.webapp import newcomers

#: Grist answers a signed-in browser's writing only with this
_MARK = {"X-Requested-With": "XMLHttpRequest"}


class GristUser:
    """One person; documents they made are removed at the end."""

    def __init__(self, component: Component, browser: Browser):
        self.url = component.url or ""
        self.browser = browser
        self._documents: list[str] = []
        self._new_key = False

    def sign_in(self, person: Person) -> None:
        """Through the identity provider, as a person does."""
        page = self.browser.follow(self.browser.get(f"{self.url}/login"))
        sent = query(page.url)
        assert sent.get("code_challenge_method") == "S256", "Grist asks the identity provider without PKCE"
        assert sent.get("nonce"), "Grist asks the identity provider without a nonce"
        end = self.browser.sign_in(page, person.username, person.password.reveal())
        where = end.url.partition("?")[0]
        assert where.startswith(self.url) and end.status_code == 200, f"signing in ended at {where} ({end.status_code})"

    def call(self, method: str, path: str, body: Any = None) -> requests.Response:
        """A request as the pages make it; path: below /api/."""
        url = f"{self.url}/api/{path}"
        return self.browser.session.request(method, url, json=body, headers=_MARK, timeout=TIMEOUT)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A request that must succeed."""
        return _answer(self.call(method, path, body), method, path)

    def workspace(self) -> int | None:
        """A place of their own to put documents in; none when they have no right to."""
        for found in self.ask("GET", "orgs/current/workspaces"):
            if found.get("access", "owners") in ("owners", "editors") and not found.get("isSupportWorkspace"):
                return int(found["id"])
        return None

    def make_document(self, workspace: int) -> str:
        """Make an empty document."""
        name = f"verify-{uuid.uuid4().hex[:12]}"
        document = str(self.ask("POST", f"workspaces/{workspace}/docs", {"name": name}))
        self._documents.append(document)
        return document

    def key(self) -> Secret:
        """The person's API key; one that is made for this is taken back at the end."""
        answer = self.call("GET", "profile/apikey")
        found = answer.text if answer.status_code == 200 else ""
        if not found:
            made = self.call("POST", "profile/apikey", {})
            assert made.status_code == 200, f"making an API key is answered with {made.status_code}"
            found, self._new_key = made.text, True
        return Secret("grist.verify", found)

    def clean_up(self) -> None:
        """Leave no document and no key behind."""
        for document in self._documents:
            self.call("DELETE", f"docs/{document}")
        if self._new_key:
            self.call("DELETE", "profile/apikey", {})


class Program:
    """Somebody's program: no browser, only their key."""

    def __init__(self, component: Component, session: requests.Session, key: Secret | None):
        self._url, self._session = component.url or "", session
        self._headers = {"Authorization": f"Bearer {key.reveal()}"} if key else {}

    def call(self, method: str, path: str, body: Any = None) -> requests.Response:
        url = f"{self._url}/api/{path}"
        headers = {**self._headers, "Content-Type": "application/json"}
        return self._session.request(method, url, json=body, headers=headers, allow_redirects=False, timeout=TIMEOUT)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A request that must succeed."""
        return _answer(self.call(method, path, body), method, path)

    def wait_for_snapshot(self, document: str, patience: float = 90) -> list[Any]:
        """The versions the bucket keeps of a document, once there is one. patience: seconds."""
        deadline = time.monotonic() + patience
        while True:
            found = list(self.ask("GET", f"docs/{document}/snapshots")["snapshots"])
            if found or time.monotonic() > deadline:
                return found
            time.sleep(1)


def _answer(response: requests.Response, method: str, path: str) -> Any:
    text = response.text[:300]
    assert response.ok, f"Grist: {method} {path.partition('?')[0]} answered {response.status_code}: {text}"
    return response.json() if response.content else None


@pytest.fixture
def new_grist_user(component: Component, web: Web) -> Iterator[Callable[[], GristUser]]:
    """A function that opens browsers in Grist."""
    with newcomers(web, lambda browser: GristUser(component, browser)) as newcomer:
        yield newcomer


@pytest.fixture
def new_program(component: Component, web: Web) -> Iterator[Callable[[Secret | None], Program]]:
    """A function: API key or none → a program that uses Grist."""
    with ExitStack() as stack:
        yield lambda key: Program(component, stack.enter_context(web.session()), key)
