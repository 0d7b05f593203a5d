# SPDX-License-Identifier: MIT
"""A person signs in, makes a table by API, reads it back; others see nothing, and the bucket keeps versions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from suite_deploy.model.deployment import Component
from suite_deploy.secrets.value import Secret
from suite_deploy.verify.people import People

CLOSED = (401, 403, 404)
TABLE = {"id": "Communes", "columns": [{"id": "Name"}, {"id": "People"}]}


def signed_in(new_grist_user: Callable[[], Any], people: People) -> tuple[Any, int]:
    user = new_grist_user()
    user.sign_in(people[0])
    workspace = user.workspace()
    if workspace is None:
        pytest.skip(f"{people[0].username} is not invited to the site; the administrator invites people to it")
    return user, workspace


def test_person_is_known_after_signing_in(
    component: Component, new_grist_user: Callable[[], Any], people: People
) -> None:
    user = new_grist_user()
    user.sign_in(people[0])
    person = user.ask("GET", "session/access/active")["user"]
    assert person["email"] and person["name"], f"Grist does not know the name or address of {people[0].username}"
    assert not person.get("anonymous"), "Grist takes a person who signed in for nobody"


def test_table_is_made_and_read_by_api(
    component: Component,
    new_grist_user: Callable[[], Any],
    new_program: Callable[[Secret | None], Any],
    conceal: Callable[[Secret], None],
    people: People,
) -> None:
    user, workspace = signed_in(new_grist_user, people)
    document, key = user.make_document(workspace), user.key()
    conceal(key)
    program = new_program(key)
    made = program.ask("POST", f"docs/{document}/tables", {"tables": [TABLE]})
    assert [table["id"] for table in made["tables"]] == ["Communes"]
    rows = [{"fields": {"Name": "Brest", "People": 140000}}, {"fields": {"Name": "Quimper", "People": 64000}}]
    program.ask("POST", f"docs/{document}/tables/Communes/records", {"records": rows})
    found = program.ask("GET", f"docs/{document}/tables/Communes/records")["records"]
    assert [row["fields"]["Name"] for row in found] == ["Brest", "Quimper"], f"the table holds {found}"
    assert program.wait_for_snapshot(document), "the bucket keeps no version of the document"


def test_others_see_nothing(
    component: Component,
    new_grist_user: Callable[[], Any],
    new_program: Callable[[Secret | None], Any],
    people: People,
) -> None:
    user, workspace = signed_in(new_grist_user, people)
    document = user.make_document(workspace)
    colleague = new_grist_user()
    colleague.sign_in(people[1])
    for who, asking in (
        ("a colleague it is not shared with", colleague),
        ("a stranger", new_program(None)),
        ("an invented key", new_program(Secret("grist.invented", "0" * 40))),
    ):
        answer = asking.call("GET", f"docs/{document}/tables")
        assert answer.status_code in CLOSED, f"{who} is answered with {answer.status_code}"


def test_strangers_are_sent_to_sign_in(component: Component, new_grist_user: Callable[[], Any]) -> None:
    if component.options["public_documents"]:
        pytest.skip("documents may be shared with everyone (components.grist.public_documents)")
    browser = new_grist_user().browser
    page = browser.follow(browser.get(f"{component.url}/"))
    assert not page.url.startswith(f"{component.url}/"), f"{page.url.partition('?')[0]} is shown without signing in"


def test_no_widgets_of_others_are_offered(
    component: Component, new_grist_user: Callable[[], Any], people: People
) -> None:
    user = new_grist_user()
    user.sign_in(people[0])
    found = [str(widget.get("url", "")) for widget in user.ask("GET", "widgets")]
    foreign = [url for url in found if url.startswith("http") and component.hostname not in url]
    assert not foreign, f"Grist offers widgets of others, which read people's tables: {foreign}"
