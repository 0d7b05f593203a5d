# SPDX-License-Identifier: MIT
"""The document by which the homeserver is found names the place where calls are authorised."""

from __future__ import annotations

import pytest

from suite_deploy.model.deployment import Component
from suite_deploy.verify.web import TIMEOUT, Web


def test_calls_are_announced_under_the_servers_name(component: Component, homeserver: Component, web: Web) -> None:
    server_name = homeserver.options["server_name"]
    if server_name not in web.addresses:
        pytest.skip(f"{server_name} is published elsewhere; its well-known document must name {component.url}")
    with web.session() as session:
        answer = session.get(f"https://{server_name}/.well-known/matrix/client", timeout=TIMEOUT)
    assert answer.status_code == 200, f"{answer.url} answers {answer.status_code}"
    found = answer.json().get("org.matrix.msc4143.rtc_foci")
    assert found == [{"type": "livekit", "livekit_service_url": component.url}], f"{answer.url} announces {found}"
