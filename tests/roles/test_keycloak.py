# SPDX-License-Identifier: MIT
"""Role `keycloak` against a real Keycloak: what it makes, what it puts back, what it leaves alone."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from suite_deploy.verify.web import Browser, Form, forms, login_form, query
from tests.roles.box import Box, Converged
from tests.roles.keycloak import (
    CLIENT,
    CONSOLE,
    ISSUER,
    ORIGIN,
    SECRETS,
    Keycloak,
    claims_of,
    keycloak_on,
    one_time_code,
)

pytestmark = pytest.mark.needs_root

REDIRECT = CLIENT["redirect_uris"][0]
FAILURES_ALLOWED = 10


@pytest.fixture(scope="module")
def server(box: Box, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    with keycloak_on(box, tmp_path_factory.mktemp("keycloak")) as running:
        yield running


@pytest.fixture(scope="module")
def first(server: Keycloak) -> Converged:
    return server.converge("first")


@pytest.fixture(scope="module")
def keycloak(server: Keycloak, first: Converged) -> Keycloak:
    return server


class SignIn:
    """One person's way through the pages, for one client."""

    def __init__(self, keycloak: Keycloak, client_id: str = "notes", redirect: str = REDIRECT, language: str = "fr"):
        self.keycloak, self.client_id, self.redirect = keycloak, client_id, redirect
        self.browser: Browser = keycloak.browser(language)
        self.verifier = secrets.token_urlsafe(48)

    def open(self, **changes: str) -> requests.Response:
        challenge = urlsafe_b64encode(sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        wanted = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect,
            "scope": " ".join(CLIENT["scopes"]) if self.client_id == "notes" else "openid",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        } | changes
        url = f"{ISSUER}/protocol/openid-connect/auth?{urlencode(wanted)}"
        return self.browser.follow(self.browser.get(url), stop=self.redirect)

    def send(self, form: Form, **values: str) -> requests.Response:
        answer = self.browser.post(form.action, data={**form.fields, **values})
        return self.browser.follow(answer, stop=self.redirect)

    def password(self, username: str, password: str) -> requests.Response:
        return self.browser.sign_in(self.open(), username, password, stop=self.redirect)

    def tokens(self, end: requests.Response) -> dict[str, Any]:
        target = end.headers.get("Location", "")
        assert "code" in query(target), f"no code but {end.status_code}: {titles(end)}"
        grant = {"client_id": self.client_id, "redirect_uri": self.redirect, "code_verifier": self.verifier}
        if self.client_id == "notes":
            grant["client_secret"] = SECRETS["notes.oidc"]
        answer = self.keycloak.token("suite", grant_type="authorization_code", code=query(target)["code"], **grant)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def titles(page: requests.Response) -> str:
    return " ".join(page.text.partition("<title>")[2].partition("</title>")[0].split())


def form_with(page: requests.Response, field: str) -> Form:
    found = [form for form in forms(page) if field in form.fields]
    assert found, f"no form asks for {field} ({page.status_code}, {titles(page)})"
    return found[0]


def test_second_run_changes_nothing(keycloak: Keycloak) -> None:
    assert keycloak.converge("second").changed == ()


def test_check_mode_announces_nothing(keycloak: Keycloak) -> None:
    assert keycloak.converge("check", "--check").changed == ()


def test_code_with_pkce_tells_who_it_is(keycloak: Keycloak) -> None:
    signing_in = SignIn(keycloak)
    tokens = signing_in.tokens(signing_in.password("alice", SECRETS["keycloak.demo_alice"]))
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    info = signing_in.browser.get(f"{ISSUER}/protocol/openid-connect/userinfo", headers=headers).json()
    told = {"usual_name": "Martin", "given_name": "Alice", "email": "alice@suite.example", "email_verified": True}
    for claims in (claims_of(tokens["id_token"]), info):
        assert claims["sub"] == keycloak.user("alice")["id"]
        assert claims["matrix_localpart"] == "alice"
        assert told.items() <= claims.items()
    access = claims_of(tokens["access_token"])
    assert not {"matrix_localpart", "siret", "realm_access"} & access.keys()


def test_without_pkce_nobody_is_asked_for_a_password(keycloak: Keycloak) -> None:
    page = SignIn(keycloak).open(code_challenge_method="plain")
    assert login_form(page) is None
    assert query(page.headers["Location"])["error"] == "invalid_request"


def test_client_gets_no_token_without_a_person(keycloak: Keycloak) -> None:
    client = {"client_id": "notes", "client_secret": SECRETS["notes.oidc"]}
    person = {"username": "alice", "password": SECRETS["keycloak.demo_alice"]}
    for grant in ({"grant_type": "client_credentials"}, {"grant_type": "password", **person}):
        assert keycloak.token("suite", **client, **grant).json()["error"] == "unauthorized_client"


def test_passwords_are_taken_by_the_pages_only(keycloak: Keycloak) -> None:
    person = {"username": "alice", "password": SECRETS["keycloak.demo_alice"]}
    for client in keycloak.automation("GET", "suite/clients").json():
        answer = keycloak.token("suite", grant_type="password", client_id=client["clientId"], **person)
        assert answer.status_code in (400, 401), f"{client['clientId']} took a password ({answer.status_code})"


def test_nobody_outlives_twelve_hours(keycloak: Keycloak) -> None:
    signing_in = SignIn(keycloak)
    answer = signing_in.open(scope="openid offline_access")
    assert query(answer.headers.get("Location", "")).get("error") == "invalid_scope"
    realm = keycloak.automation("GET", "suite").json()
    assert realm["ssoSessionMaxLifespan"] == realm["offlineSessionMaxLifespan"] == 12 * 3600


def test_guessing_locks_the_account_and_nobody_elses(keycloak: Keycloak) -> None:
    for _ in range(FAILURES_ALLOWED):
        assert login_form(SignIn(keycloak).password("bob", "not his password")) is not None
    right = SECRETS["keycloak.demo_bob"]
    assert "Location" not in SignIn(keycloak).password("bob", right).headers, "guessing goes on"
    signing_in = SignIn(keycloak)
    signing_in.tokens(signing_in.password("alice", SECRETS["keycloak.demo_alice"]))
    bob = keycloak.user("bob")["id"]
    assert keycloak.automation("DELETE", f"suite/attack-detection/brute-force/users/{bob}").status_code == 204
    signing_in = SignIn(keycloak)
    signing_in.tokens(signing_in.password("bob", right))


@pytest.mark.parametrize(("asked", "spoken"), [("", "fr"), ("fr", "fr"), ("en", "en"), ("de", "fr")])
def test_pages_speak_french_unless_english_is_asked_for(keycloak: Keycloak, asked: str, spoken: str) -> None:
    assert f'lang="{spoken}"' in SignIn(keycloak, language=asked).open().text


def test_people_cannot_change_who_they_are(keycloak: Keycloak) -> None:
    signing_in = SignIn(keycloak, "account-console", f"{ISSUER}/account/")
    tokens = signing_in.tokens(signing_in.password("alice", SECRETS["keycloak.demo_alice"]))
    headers = {"Authorization": f"Bearer {tokens['access_token']}", "Accept": "application/json"}
    account = signing_in.browser.get(f"{ISSUER}/account/", headers=headers).json()
    assert "matrix_localpart" not in account.get("attributes", {}), "it is not theirs to see"
    wanted = account | {"lastName": "Durand", "attributes": {"matrix_localpart": ["bob"], "siret": ["1" * 14]}}
    signing_in.browser.post(f"{ISSUER}/account/", json=wanted, headers=headers)
    attributes = keycloak.automation("GET", f"suite/users/{keycloak.user('alice')['id']}").json()["attributes"]
    assert attributes == {"matrix_localpart": ["alice"]}


@pytest.mark.parametrize("localpart", ["Alice", "a b", "alice@suite.example", "_bot", "x" * 65])
def test_administrators_cannot_set_a_localpart_matrix_would_refuse(keycloak: Keycloak, localpart: str) -> None:
    person = {"username": "carol", "email": "carol@suite.example", "attributes": {"matrix_localpart": [localpart]}}
    assert keycloak.automation("POST", "suite/users", person).status_code == 400


def test_first_administrator_must_change_the_password_and_add_a_second_factor(keycloak: Keycloak) -> None:
    signing_in = SignIn(keycloak, "security-admin-console", CONSOLE)
    page = signing_in.password("admin", SECRETS["keycloak.admin"])
    secret = form_with(page, "totpSecret").fields["totpSecret"]
    page = signing_in.send(form_with(page, "totpSecret"), totp=one_time_code(secret), userLabel="phone")
    new = secrets.token_urlsafe(20)
    page = signing_in.send(form_with(page, "password-new"), **{"password-new": new, "password-confirm": new})
    tokens = signing_in.tokens(page)

    # what the console's own script does next, from the page that came through the tunnel
    origin = CONSOLE.partition("/admin/")[0]
    assert ORIGIN in signing_in.browser.get(CONSOLE).text, "the console sends people elsewhere to sign in"
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    endpoint = f"{ISSUER}/protocol/openid-connect/token"
    allowed = signing_in.browser.session.options(endpoint, headers=asked).headers
    assert allowed.get("Access-Control-Allow-Origin") == origin
    token = tokens["access_token"]
    assert keycloak.administer(token, "GET", "suite/users").status_code == 200
    assert keycloak.administer(token, "GET", "master/users").status_code == 403

    # who replaces the first one: the new one stays, the first one is not made again
    alice, roles = keycloak.user("alice"), keycloak.administer(token, "GET", "suite/roles/suite-admin").json()
    given = keycloak.administer(token, "POST", f"suite/users/{alice['id']}/role-mappings/realm", [roles])
    assert given.status_code == 204
    gone = keycloak.automation("DELETE", f"suite/users/{keycloak.user('admin')['id']}")
    assert gone.status_code == 204
    assert keycloak.converge("without the first administrator").changed == ()
    assert keycloak.automation("GET", "suite/users?exact=true&username=admin").json() == []
    signing_in = SignIn(keycloak)
    form_with(signing_in.password("alice", SECRETS["keycloak.demo_alice"]), "totpSecret")
    taken = keycloak.automation("DELETE", f"suite/users/{alice['id']}/role-mappings/realm", [roles])
    assert taken.status_code == 204


def test_second_factor_is_asked_for_once_there_is_one(keycloak: Keycloak) -> None:
    bob = SignIn(keycloak)
    page = bob.password("bob", SECRETS["keycloak.demo_bob"])
    bob.tokens(page)
    user = keycloak.user("bob")
    keycloak.automation("PUT", f"suite/users/{user['id']}", {"requiredActions": ["CONFIGURE_TOTP"]})
    setting_up = SignIn(keycloak)
    page = setting_up.password("bob", SECRETS["keycloak.demo_bob"])
    form = form_with(page, "totpSecret")
    setting_up.tokens(setting_up.send(form, totp=one_time_code(form.fields["totpSecret"]), userLabel="phone"))
    again = SignIn(keycloak).password("bob", SECRETS["keycloak.demo_bob"])
    assert "Location" not in again.headers and form_with(again, "otp")


def test_automation_has_no_rights_outside_the_suites_realm(keycloak: Keycloak) -> None:
    assert keycloak.automation("GET", "master/users").status_code == 403
    assert keycloak.automation("GET", "master/clients").status_code == 403
    user = keycloak.user("alice")["id"]
    assert keycloak.automation("POST", f"suite/users/{user}/impersonation").status_code == 403


def test_what_was_changed_by_hand_is_put_back_and_people_are_left_alone(keycloak: Keycloak) -> None:
    client = keycloak.automation("GET", "suite/clients?clientId=notes").json()[0]
    wide = client | {"redirectUris": ["https://*"], "directAccessGrantsEnabled": True, "secret": "another"}
    keycloak.automation("PUT", f"suite/clients/{client['id']}", wide)
    keycloak.automation("PUT", "suite", {"bruteForceProtected": False, "browserFlow": "browser"})
    scope = next(item for item in keycloak.automation("GET", "suite/client-scopes").json() if item["name"] == "lasuite")
    mapper = next(item for item in scope["protocolMappers"] if item["name"] == "matrix_localpart")
    moved = mapper | {"config": mapper["config"] | {"user.attribute": "email"}}
    keycloak.automation("PUT", f"suite/client-scopes/{scope['id']}/protocol-mappers/models/{mapper['id']}", moved)
    alice, new = keycloak.user("alice"), secrets.token_urlsafe(20)
    credential = {"type": "password", "value": new, "temporary": False}
    keycloak.automation("PUT", f"suite/users/{alice['id']}/reset-password", credential)

    changed = keycloak.converge("after changes by hand").changed

    put_back_by = ("Realm", "Signing in takes these steps", "Scope with what", "Clients of")
    assert all(any(name in task for task in changed) for name in put_back_by), changed
    put_back = keycloak.automation("GET", f"suite/clients/{client['id']}").json()
    assert put_back["redirectUris"] == [REDIRECT] and not put_back["directAccessGrantsEnabled"]
    realm = keycloak.automation("GET", "suite").json()
    assert realm["bruteForceProtected"] and realm["browserFlow"] == "suite browser"
    signing_in = SignIn(keycloak)
    tokens = signing_in.tokens(signing_in.password("alice", new))
    assert claims_of(tokens["id_token"])["matrix_localpart"] == "alice"
    assert keycloak.converge("after that").changed == ()


def test_role_writes_no_secret(keycloak: Keycloak, first: Converged, tmp_path: Path) -> None:
    output = first.output + keycloak.converge("verbose", "-v", "--diff").output
    assert [name for name, value in SECRETS.items() if value in output] == []
