# SPDX-License-Identifier: MIT
"""Outside `dev` two accounts work while a run lasts, and not a moment longer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from suite_deploy.model.loader import load
from suite_deploy.secrets.value import Secret
from suite_deploy.verify.plugin import component_fixtures

USERS = "/admin/realms/suite/users"


class Api:
    """The part of the administration API that is used."""

    def __init__(self) -> None:
        self.users: dict[str, dict[str, Any]] = {
            f"id-{name}": {"id": f"id-{name}", "username": name, "enabled": False, "attributes": {"k": ["v"]}}
            for name in ("verify-1", "verify-2")
        }
        self.passwords: dict[str, str] = {}
        self.ended: list[str] = []
        self.tokens = 0
        self.refuse = ""

    def answer(self, method: str, target: str, body: str) -> tuple[int, Any]:
        url = urlsplit(target)
        parts = url.path.removeprefix(USERS).strip("/").split("/")
        if url.path.endswith("/token"):
            self.tokens += 1
            return 200, {"access_token": "short"}
        if self.refuse and self.refuse in target and method == "PUT":
            return 500, None
        if parts == [""]:
            name = parse_qs(url.query)["username"][0]
            return 200, [user for user in self.users.values() if user["username"] == name]
        match (method, parts):
            case ("GET", [user]):
                return 200, self.users[user]
            case ("PUT", [user]):
                self.users[user] = json.loads(body)
            case ("PUT", [user, "reset-password"]):
                self.passwords[user] = json.loads(body)["value"]
            case ("GET", [user, "credentials"]):
                return 200, [{"id": "c"}] if user in self.passwords else []
            case ("DELETE", [user, "credentials", "c"]):
                del self.passwords[user]
            case ("POST", [user, "logout"]):
                self.ended.append(user)
            case _:
                return 404, None
        return 204, None


class _Handler(BaseHTTPRequestHandler):
    api: Api

    def log_message(self, format: str, *args: object) -> None:
        del format, args

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        status, answer = self.api.answer(self.command, self.path, body)
        data = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = _any


@pytest.fixture
def api() -> Iterator[tuple[Api, int]]:
    state = Api()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"api": state}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield state, server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def module() -> Any:
    identity = load("demo").provider_of("identity")
    assert identity is not None
    (found,) = component_fixtures([identity])
    return found


def test_accounts_work_inside_and_are_locked_after(api: tuple[Api, int], module: Any) -> None:
    state, port = api
    concealed: list[Secret] = []
    with module.permanent_accounts(lambda: module.Administration(port, "key"), concealed.append) as people:
        assert all(user["enabled"] for user in state.users.values())
        assert {f"id-{person.username}": person.password.reveal() for person in people} == state.passwords
        assert all(user["attributes"] == {"k": ["v"]} for user in state.users.values()), "attributes were lost"
    assert [person.password for person in people] == concealed, "a report could show these passwords"
    assert not any(user["enabled"] for user in state.users.values())
    assert not state.passwords
    assert sorted(state.ended) == ["id-verify-1", "id-verify-2"]


def test_accounts_are_locked_after_a_failure(api: tuple[Api, int], module: Any) -> None:
    state, port = api
    concealed: list[Secret] = []
    with (
        pytest.raises(KeyboardInterrupt),
        module.permanent_accounts(lambda: module.Administration(port, "key"), concealed.append),
    ):
        raise KeyboardInterrupt
    assert not state.passwords and not any(user["enabled"] for user in state.users.values())


def test_half_enabled_account_is_locked_again(api: tuple[Api, int], module: Any) -> None:
    state, port = api
    concealed: list[Secret] = []
    state.refuse = "id-verify-2/reset-password"
    with (
        pytest.raises(AssertionError, match="answered 500"),
        module.permanent_accounts(lambda: module.Administration(port, "key"), concealed.append),
    ):
        pytest.fail("there must be no people")
    assert not state.passwords and not any(user["enabled"] for user in state.users.values())


def test_tokens_are_new_when_locking(api: tuple[Api, int], module: Any) -> None:
    state, port = api
    concealed: list[Secret] = []
    with module.permanent_accounts(lambda: module.Administration(port, "key"), concealed.append):
        before = state.tokens
    assert state.tokens > before, "a token from the beginning of a long run would have expired by now"
