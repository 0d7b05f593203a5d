# SPDX-License-Identifier: MIT
"""The chat client is served with the suite's own settings, and leads nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from suite_deploy.model.deployment import Component, Deployment
from suite_deploy.verify.web import TIMEOUT, Web


@pytest.fixture
def session(web: Web) -> Iterator[requests.Session]:
    with web.session() as session:
        yield session


def configuration(component: Component, session: requests.Session) -> dict[str, Any]:
    answer = session.get(f"{component.url}/config.json", timeout=TIMEOUT)
    assert answer.status_code == 200, f"{answer.url} answers {answer.status_code}"
    assert "no-cache" in answer.headers.get("Cache-Control", ""), "browsers would keep old settings"
    found: dict[str, Any] = answer.json()
    return found


def words(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from words(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from words(inner)
    elif isinstance(value, str):
        yield value


def test_page_opens(component: Component, session: requests.Session) -> None:
    answer = session.get(f"{component.url}/", timeout=TIMEOUT)
    assert answer.status_code == 200 and "text/html" in answer.headers.get("Content-Type", ""), f"{answer.status_code}"
    wanted = {"X-Frame-Options": "SAMEORIGIN", "X-Content-Type-Options": "nosniff"}
    found = {name: answer.headers.get(name) for name in wanted}
    assert found == wanted, f"{answer.url} is sent with {found}"
    assert "frame-ancestors 'self'" in answer.headers.get("Content-Security-Policy", ""), "others may frame the page"
    policy = answer.headers.get("Permissions-Policy", "")
    assert "camera=(self)" in policy and "microphone=(self)" in policy, f"calls are kept from the devices: {policy!r}"


def test_settings_name_no_other_site(component: Component, deployment: Deployment, session: requests.Session) -> None:
    homeserver = deployment.provider_of("homeserver")
    assert homeserver is not None, "there is no homeserver"
    own = {deployment.domain, component.hostname, homeserver.hostname, homeserver.options["server_name"]}
    found = configuration(component, session)
    hosts = {host for word in words(found) for host in re.findall(r"https?://([^/:?#\s\"]+)", word)}
    hosts.add(found["jitsi"]["preferred_domain"])
    foreign = {host for host in hosts if not any(f".{host}".endswith(f".{one}") for one in own)}
    assert not foreign, f"{component.url}/config.json names {', '.join(sorted(foreign))}"
    for key in ("integrations_ui_url", "integrations_rest_url"):
        # a key that is left out has the default of upstream
        assert key in found and not found[key], f"{key} is {found.get(key, 'left out')!r}"


def test_homeserver_is_the_suites_own(component: Component, deployment: Deployment, session: requests.Session) -> None:
    homeserver = deployment.provider_of("homeserver")
    assert homeserver is not None, "there is no homeserver"
    found = configuration(component, session)
    wanted = {"base_url": homeserver.url, "server_name": homeserver.options["server_name"]}
    assert found["default_server_config"] == {"m.homeserver": wanted}, f"{found['default_server_config']}"
    assert found["disable_custom_urls"] is True, "people may type in another homeserver"
    answer = session.get(
        f"{homeserver.url}/_matrix/client/versions", headers={"Origin": component.url}, timeout=TIMEOUT
    )
    assert answer.headers.get("Access-Control-Allow-Origin") in ("*", component.url), "the page may not ask the server"


def test_calls_are_offered_when_they_can_be_made(
    component: Component, deployment: Deployment, session: requests.Session
) -> None:
    there = deployment.provider_of("matrixrtc") is not None
    found = configuration(component, session)
    assert found["setting_defaults"]["UIFeature.voip"] is there, "what the page offers is not what there is"
    assert found["element_call"]["use_exclusively"] is True, "calls would go to Jitsi"
