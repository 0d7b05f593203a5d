# SPDX-License-Identifier: MIT
"""Accounts for journeys: the demo users on `dev`, elsewhere two permanent ones that work only while a run lasts."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import requests

from suite_deploy.model.deployment import Deployment
from suite_deploy.secrets.value import Secret
from suite_deploy.verify.machines import Machine
from suite_deploy.verify.people import People, Person

_REALM = "suite"
_DEMO = ("alice", "bob")
_PERMANENT = ("verify-1", "verify-2")
_AUTOMATION = "suite-automation"
_TIMEOUT = 30


class Administration:
    """The administration API, through an SSH tunnel: the edge does not pass it on."""

    def __init__(self, port: int, client_secret: str):
        self._base = f"http://127.0.0.1:{port}"
        self._session = requests.Session()
        self._session.trust_env = False
        answer = self._session.post(
            f"{self._base}/realms/master/protocol/openid-connect/token",
            data={"grant_type": "client_credentials"},
            auth=(_AUTOMATION, client_secret),
            timeout=_TIMEOUT,
        )
        assert answer.status_code == 200, f"the automation client cannot sign in ({answer.status_code})"
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        url = f"{self._base}/admin/realms/{_REALM}/{path}"
        answer = self._session.request(method, url, json=body, timeout=_TIMEOUT)
        assert answer.ok, f"{method} {path.partition('?')[0]} answered {answer.status_code}"
        return answer.json() if answer.content else None

    def get(self, path: str = "") -> Any:
        """What the API says; path: below the suite's realm."""
        return self._call("GET", path)

    def status_elsewhere(self, path: str) -> int:
        """How a request outside the suite's realm is answered; path: below /admin/realms/."""
        return self._session.get(f"{self._base}/admin/realms/{path}", timeout=_TIMEOUT).status_code

    def find(self, username: str) -> dict[str, Any]:
        """The account as the API describes it."""
        found = self._call("GET", f"users?exact=true&username={username}")
        assert len(found) == 1, f"there are {len(found)} accounts named {username}; `suite-deploy up` makes it"
        account: dict[str, Any] = self._call("GET", f"users/{found[0]['id']}")
        return account

    def enable(self, username: str) -> Person:
        """Let an account sign in with a password made for this run."""
        account = self.find(username)
        password = secrets.token_urlsafe(24)
        credential = {"type": "password", "value": password, "temporary": False}
        self._call("PUT", f"users/{account['id']}/reset-password", credential)
        self._call("PUT", f"users/{account['id']}", account | {"enabled": True, "requiredActions": []})
        return Person(username, Secret(f"verify.{username}", password))

    def disable(self, username: str) -> None:
        """Lock an account again: off, without a password, its sessions ended."""
        account = self.find(username)
        self._call("PUT", f"users/{account['id']}", account | {"enabled": False})
        for credential in self._call("GET", f"users/{account['id']}/credentials"):
            self._call("DELETE", f"users/{account['id']}/credentials/{credential['id']}")
        self._call("POST", f"users/{account['id']}/logout")


def _disable(administration: Callable[[], Administration], username: str) -> None:
    administration().disable(username)


@contextmanager
def permanent_accounts(
    administration: Callable[[], Administration], conceal: Callable[[Secret], None]
) -> Iterator[People]:
    """Two accounts enabled while the context lasts. administration: signed in anew for each use, tokens are short."""
    with ExitStack() as stack:
        people = []
        for username in _PERMANENT:
            # before enabling: what was enabled halfway is locked again too
            stack.callback(_disable, administration, username)
            person = administration().enable(username)
            conceal(person.password)
            people.append(person)
        yield people[0], people[1]


@pytest.fixture(scope="session")
def administration(
    deployment: Deployment, machines: Mapping[str, Machine], secret: Callable[[str], str]
) -> Iterator[Callable[[], Administration]]:
    """Signs in anew for each use: tokens last a minute."""
    identity = deployment.provider_of("identity")
    assert identity is not None, "there is no identity provider"
    service = next(name for name, item in identity.description.services.items() if item.port)
    port = identity.loopback_port(service, identity.description.services[service].port or 0)
    with machines[identity.host].tunnel(port) as local:
        key = secret(f"{identity.slug}.automation")
        yield lambda: Administration(local, key)


@pytest.fixture(scope="session")
def people(
    request: pytest.FixtureRequest,
    deployment: Deployment,
    secret: Callable[[str], str],
    conceal: Callable[[Secret], None],
) -> Iterator[People]:
    identity = deployment.provider_of("identity")
    assert identity is not None, "there is no identity provider"
    if deployment.suite.profile == "dev":
        first, second = (Person(name, Secret(name, secret(f"{identity.slug}.demo_{name}"))) for name in _DEMO)
        yield first, second
        return
    with permanent_accounts(request.getfixturevalue("administration"), conceal) as accounts:
        yield accounts
