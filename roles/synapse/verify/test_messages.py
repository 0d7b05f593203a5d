# SPDX-License-Identifier: MIT
"""Two people write to each other; signing out means what it says."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from suite_deploy.model.deployment import Component, Deployment
from suite_deploy.verify.oidc import RelyingParty
from suite_deploy.verify.people import People
from suite_deploy.verify.web import Web


def test_message_is_sent_and_read(component: Component, new_matrix_client: Callable[[], Any], people: People) -> None:
    writer, reader = new_matrix_client(), new_matrix_client()
    for client, person in zip((writer, reader), people, strict=True):
        client.sign_in(person)
        wanted = component.options["server_name"]
        assert client.user.endswith(f":{wanted}"), f"{person.username} is {client.user}, not on {wanted}"
    room = writer.create_room(invite=reader.user)
    reader.join(room)
    text = f"verify {uuid.uuid4().hex}"
    event = reader.wait_for(room, writer.send(room, text))
    assert (event["sender"], event["content"]["body"]) == (writer.user, text), "another message arrived"
    answer = writer.wait_for(room, reader.send(room, text[::-1]))
    assert answer["content"]["body"] == text[::-1], "another answer arrived"


def test_account_stays_the_same(component: Component, new_matrix_client: Callable[[], Any], people: People) -> None:
    first, second = new_matrix_client(), new_matrix_client()
    first.sign_in(people[0])
    second.sign_in(people[0])
    assert first.user == second.user, f"{people[0].username} is {first.user} once and {second.user} the next time"


def test_token_is_refused_after_sign_out(
    component: Component, new_matrix_client: Callable[[], Any], people: People
) -> None:
    client = new_matrix_client()
    client.sign_in(people[0])
    client.ask("GET", "account/whoami")
    client.ask("POST", "logout", {})
    refused = client.call("GET", "account/whoami")
    assert refused.status_code == 401, f"the token is still good after signing out ({refused.status_code})"


def test_token_is_refused_after_the_session_ended(
    component: Component,
    deployment: Deployment,
    web: Web,
    secret: Callable[[str], str],
    new_matrix_client: Callable[[], Any],
    people: People,
) -> None:
    client = new_matrix_client()
    client.sign_in(people[0])
    with web.session() as session:
        # in the browser that signed in: the session at the identity provider is the same
        application = RelyingParty(deployment, component, secret(f"{component.slug}.oidc"), session)
        attempt = application.attempt()
        code = application.code(application.authorize(client.browser, attempt, prompt="none"), attempt)
        application.sign_out(client.browser, application.tokens(application.exchange(code, attempt)))
    assert client.wait_until_refused(), "the identity provider ended the session, and the Matrix token is still good"
