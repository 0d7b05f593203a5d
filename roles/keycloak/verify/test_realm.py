# SPDX-License-Identifier: MIT
"""The realm stops guessers, nobody rules beyond it, and no two people share a name elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from suite_deploy.model.deployment import Component
from suite_deploy.verify.people import People

_PAGE = 500
_LONGEST_SESSION = 12 * 3600


def test_realm_stops_guessers_and_ends_sessions(component: Component, administration: Callable[[], Any]) -> None:
    realm = administration().get()
    wanted = {
        "bruteForceProtected": True,
        "registrationAllowed": False,
        "sslRequired": "external",
        "browserFlow": "suite browser",
        "eventsEnabled": True,
        "internationalizationEnabled": True,
        "defaultLocale": "fr",
    }
    found = {key: realm.get(key) for key in wanted}
    assert found == wanted
    assert realm["ssoSessionMaxLifespan"] <= _LONGEST_SESSION
    assert "length(" in realm["passwordPolicy"]


def test_automation_rules_one_realm_only(component: Component, administration: Callable[[], Any]) -> None:
    session = administration()
    answers = {path: session.status_elsewhere(path) for path in ("master/users", "master/clients", "master/events")}
    assert set(answers.values()) == {403}, f"the automation client can reach the realm master: {answers}"


def test_an_administrator_exists(component: Component, administration: Callable[[], Any]) -> None:
    holders = administration().get("roles/suite-admin/users?max=1")
    assert holders, "nobody holds the role suite-admin; `suite-deploy up` makes the first administrator"


def test_no_two_people_have_one_matrix_name(
    component: Component, administration: Callable[[], Any], people: People
) -> None:
    counted: Counter[str] = Counter()
    first = 0
    while True:
        page = administration().get(f"users?briefRepresentation=false&first={first}&max={_PAGE}")
        for person in page:
            counted.update(person.get("attributes", {}).get("matrix_localpart", []))
        if len(page) < _PAGE:
            break
        first += _PAGE
    assert all(counted[person.username] for person in people), "the accounts of this run have no Matrix name"
    twice = sorted(name for name, count in counted.items() if count > 1)
    assert not twice, f"several accounts have the attribute matrix_localpart {', '.join(twice)}; chat will number them"
