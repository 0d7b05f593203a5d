# SPDX-License-Identifier: MIT
"""The homeserver is found, lets in nobody but the identity provider's people, and keeps to itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from suite_deploy.model.deployment import Component, Deployment
from suite_deploy.verify.web import TIMEOUT, Web


def _documents(server_name: str, web: Web, name: str) -> requests.Response:
    url = f"https://{server_name}/.well-known/matrix/{name}"
    if server_name in web.addresses:
        with web.session() as session:
            return session.get(url, allow_redirects=False, timeout=TIMEOUT)
    # published by somebody else, where the rest of the world looks for it
    return requests.get(url, allow_redirects=True, timeout=TIMEOUT)


@pytest.mark.parametrize("name", ["client", "server", "support"])
def test_server_is_found_by_its_name(component: Component, deployment: Deployment, web: Web, name: str) -> None:
    server_name = component.options["server_name"]
    response = _documents(server_name, web, name)
    assert response.status_code == 200, f"{response.url} answers {response.status_code}; publish what `up` printed"
    document = response.json()
    if name == "client":
        assert document["m.homeserver"]["base_url"].rstrip("/") == component.url, f"{response.url}: {document}"
        allowed = response.headers.get("Access-Control-Allow-Origin")
        assert allowed == "*", f"{response.url} cannot be read by web clients (Access-Control-Allow-Origin: {allowed})"
    elif name == "server":
        assert document["m.server"] == f"{component.hostname}:443", f"{response.url}: {document}"


def test_only_the_identity_provider_lets_people_in(component: Component, new_matrix_client: Callable[[], Any]) -> None:
    client = new_matrix_client()
    flows = {flow["type"]: flow for flow in client.ask("GET", "login")["flows"]}
    assert "m.login.password" not in flows, "Synapse offers to sign in with a password"
    providers = [item["id"] for item in flows["m.login.sso"].get("identity_providers", [])]
    assert providers == ["oidc-keycloak"], f"Synapse offers {providers}"
    identifier = {"type": "m.id.user", "user": "nobody"}
    answer = client.call("POST", "login", {"type": "m.login.password", "identifier": identifier, "password": "x"})
    assert answer.status_code in (400, 403), f"a password is answered with {answer.status_code}"


def test_nobody_registers(component: Component, new_matrix_client: Callable[[], Any]) -> None:
    for kind in ("user", "guest"):
        answer = new_matrix_client().call("POST", "register", {"username": "x", "password": "y"}, kind=kind)
        assert answer.status_code == 403, f"registering as a {kind} is answered with {answer.status_code}"


def test_strangers_read_nothing(component: Component, new_matrix_client: Callable[[], Any]) -> None:
    client, server = new_matrix_client(), component.options["server_name"]
    for path in ("publicRooms", f"profile/@nobody:{server}", "user_directory/search"):
        method = "POST" if path.endswith("search") else "GET"
        answer = client.call(method, path, {} if method == "POST" else None)
        assert answer.status_code == 401, f"{path} is answered with {answer.status_code} without signing in"


def test_federation_is_closed(component: Component, web: Web) -> None:
    if component.options["federation"] != "closed":
        pytest.skip(f"federation is with {component.options['federation']}")
    with web.session() as session:
        for path in ("/_matrix/federation/v1/version", "/_matrix/key/v2/server", "/_matrix/federation/v1/publicRooms"):
            answer = session.get(f"{component.url}{path}", timeout=TIMEOUT)
            assert answer.status_code == 404, f"{path} is answered with {answer.status_code}"
