# SPDX-License-Identifier: MIT
"""People sign in at the identity provider for each application, and out again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from suite_deploy.model.deployment import Component, Deployment
from suite_deploy.verify import expected
from suite_deploy.verify.fixtures import Look
from suite_deploy.verify.oidc import RelyingParty
from suite_deploy.verify.people import People
from suite_deploy.verify.web import Browser, Web, login_form, query


@pytest.fixture
def application(
    relying_party: Component, deployment: Deployment, web: Web, secret: Callable[[str], str], look: Look
) -> Iterator[RelyingParty]:
    """The application under test, as the identity provider's client."""
    identity = deployment.provider_of("identity")
    assert identity is not None, "there is no identity provider"
    for unit in expected.units_of(identity):
        look.at(identity.host, unit)
    with web.session() as session:
        yield RelyingParty(deployment, relying_party, secret(f"{relying_party.slug}.oidc"), session)


@pytest.fixture
def browser(web: Web) -> Iterator[Browser]:
    with web.browser() as opened:
        yield opened


# First, because a right password afterwards makes the provider forget the wrong one; and at one application only, for
# it shuts people out after a few.
@pytest.mark.one_subject
def test_wrong_password_is_refused(application: RelyingParty, browser: Browser, people: People) -> None:
    attempt = application.attempt()
    page = application.authorize(browser, attempt)
    end = browser.sign_in(page, people[0].username, "not the password", stop=attempt.redirect_uri)
    assert "Location" not in end.headers, "a wrong password leads to the application"
    assert login_form(end) is not None, f"a wrong password leads to {end.url.partition('?')[0]} ({end.status_code})"


def test_sign_in_with_code_and_pkce(application: RelyingParty, browser: Browser, people: People) -> None:
    attempt = application.attempt()
    code = application.sign_in(browser, people[0], attempt)
    tokens = application.tokens(application.exchange(code, attempt))
    claims, info = application.claims(tokens, attempt), application.userinfo(tokens)
    assert info["sub"] == claims["sub"], "the ID token and userinfo speak of different people"
    again = application.exchange(code, attempt)
    assert again.status_code == 400, f"the same code was accepted twice ({again.status_code})"
    application.sign_out(browser, tokens)


def test_stolen_code_is_worthless(application: RelyingParty, browser: Browser, people: People) -> None:
    attempt = application.attempt()
    code = application.sign_in(browser, people[0], attempt)
    answer = application.exchange(code, attempt, verifier=application.attempt().verifier)
    assert answer.status_code == 400, f"a code was exchanged without the verifier it belongs to ({answer.status_code})"


def test_request_without_pkce_is_refused(application: RelyingParty, browser: Browser) -> None:
    attempt = application.attempt()
    page = application.authorize(browser, attempt, code_challenge=None, code_challenge_method=None)
    assert login_form(page) is None, "the identity provider asks for a password although PKCE is missing"


def test_foreign_redirect_is_refused(application: RelyingParty, browser: Browser) -> None:
    attempt = application.attempt()
    page = application.authorize(browser, attempt, redirect_uri=f"{attempt.redirect_uri}.attacker.invalid/")
    assert page.status_code == 400, f"a redirect to elsewhere is answered with {page.status_code}"


def test_sign_out_ends_the_session(application: RelyingParty, browser: Browser, people: People) -> None:
    attempt = application.attempt()
    tokens = application.tokens(application.exchange(application.sign_in(browser, people[0], attempt), attempt))
    silent = application.attempt()
    before = application.authorize(browser, silent, prompt="none")
    assert "code" in query(before.headers.get("Location", "")), "there is no session to end after signing in"
    application.sign_out(browser, tokens)
    after = query(application.authorize(browser, application.attempt(), prompt="none").headers.get("Location", ""))
    assert after.get("error") == "login_required", "the session goes on after signing out"
    refused = application.refresh(tokens)
    assert refused.status_code == 400, f"the refresh token is still good after signing out ({refused.status_code})"
