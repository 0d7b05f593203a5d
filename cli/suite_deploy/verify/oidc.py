# SPDX-License-Identifier: MIT
"""A strict OpenID Connect client for checks: authorization code with PKCE, tokens verified, sessions ended."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import requests

from ..model.deployment import Component, Deployment
from .people import Person
from .web import TIMEOUT, Browser, query


def issuer_of(deployment: Deployment, component: Component) -> str:
    """The issuer a component is told to trust."""
    from ..render.vocabulary import Addresses, context

    return str(context(deployment, component, Addresses.unknown(deployment))["oidc"].issuer)


@dataclass(frozen=True)
class Attempt:
    """One authorization request and the secrets that belong to it."""

    redirect_uri: str
    scope: str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    @property
    def challenge(self) -> str:
        """RFC 7636, method S256."""
        return _base64url(hashlib.sha256(self.verifier.encode()).digest())


@dataclass(frozen=True)
class Tokens:
    """What the token endpoint gave."""

    access: str
    refresh: str
    identity: str


class RelyingParty:
    """Acts as one of the suite's applications towards the identity provider."""

    def __init__(self, deployment: Deployment, component: Component, client_secret: str, session: requests.Session):
        """session: for requests the application makes itself, without a browser's cookies."""
        need = component.description.needs.oidc_client
        assert need is not None, f"{component.slug} is no client of the identity provider"
        self.issuer = issuer_of(deployment, component)
        self.client_id = component.slug
        self._secret = client_secret
        self._session = session
        self._redirect_uri = f"{component.url}{need.redirect[0]}"
        self._scope = " ".join(need.scopes)
        self.endpoints = self._discover()

    def _discover(self) -> Mapping[str, Any]:
        response = self._session.get(f"{self.issuer}/.well-known/openid-configuration", timeout=TIMEOUT)
        assert response.status_code == 200, f"{self.issuer} describes itself with {response.status_code}"
        found: dict[str, Any] = response.json()
        assert found["issuer"] == self.issuer, f"{self.issuer} calls itself {found['issuer']}"
        plain = [key for key, value in found.items() if isinstance(value, str) and value.startswith("http:")]
        assert not plain, f"{self.issuer} offers endpoints without TLS: {', '.join(plain)}"
        return found

    def attempt(self) -> Attempt:
        """A new authorization request."""
        return Attempt(self._redirect_uri, self._scope)

    def authorize(self, browser: Browser, attempt: Attempt, **changes: str | None) -> requests.Response:
        """Open the identity provider's page for an attempt; stops before the application's own page.

        changes: parameters to set, or to leave out when None.
        """
        parameters: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": attempt.redirect_uri,
            "scope": attempt.scope,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
            **changes,
        }
        wanted = urlencode({key: value for key, value in parameters.items() if value is not None})
        url = f"{self.endpoints['authorization_endpoint']}?{wanted}"
        return browser.follow(browser.get(url), stop=attempt.redirect_uri)

    def sign_in(self, browser: Browser, person: Person, attempt: Attempt) -> str:
        """Sign a person in; returns the authorization code. Fails when no code comes back."""
        page = self.authorize(browser, attempt)
        end = browser.sign_in(page, person.username, person.password.reveal(), stop=attempt.redirect_uri)
        return self.code(end, attempt)

    def code(self, end: requests.Response, attempt: Attempt) -> str:
        """The code of a redirect back to the application."""
        target = end.headers.get("Location", "")
        answer = query(target)
        where = end.url.partition("?")[0]
        back = target.startswith(attempt.redirect_uri)
        assert back, f"{where} ({end.status_code}) does not lead back to the application"
        assert "error" not in answer, f"the identity provider said {answer['error']}: {answer.get('error_description')}"
        assert answer.get("state") == attempt.state, "the identity provider did not return the state it was given"
        assert answer.get("iss", self.issuer) == self.issuer, f"the answer comes from {answer['iss']}"
        return answer["code"]

    def exchange(self, code: str, attempt: Attempt, verifier: str | None = None) -> requests.Response:
        """Ask for tokens; verifier: another one than the attempt's."""
        grant = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": attempt.redirect_uri,
            "code_verifier": verifier or attempt.verifier,
        }
        return self._token(grant)

    def refresh(self, tokens: Tokens) -> requests.Response:
        """Ask for new tokens with the refresh token."""
        return self._token({"grant_type": "refresh_token", "refresh_token": tokens.refresh})

    def _token(self, grant: Mapping[str, str]) -> requests.Response:
        return self._session.post(
            self.endpoints["token_endpoint"], data=grant, auth=(self.client_id, self._secret), timeout=TIMEOUT
        )

    def tokens(self, response: requests.Response) -> Tokens:
        """The tokens of a response that must hold them."""
        body = response.json()
        assert response.status_code == 200, f"the token endpoint answered {response.status_code}: {body.get('error')}"
        return Tokens(body["access_token"], body.get("refresh_token", ""), body["id_token"])

    def claims(self, tokens: Tokens, attempt: Attempt) -> dict[str, Any]:
        """The claims of the ID token, its signature and addressee verified."""
        keys = self._session.get(self.endpoints["jwks_uri"], timeout=TIMEOUT).json()["keys"]
        claims = verified_claims(tokens.identity, keys)
        audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        assert claims["iss"] == self.issuer, f"the ID token is from {claims['iss']}"
        assert self.client_id in audience, f"the ID token is for {audience}"
        assert claims["nonce"] == attempt.nonce, "the ID token belongs to another request"
        assert claims["exp"] > time.time(), "the ID token has expired already"
        return claims

    def userinfo(self, tokens: Tokens) -> dict[str, Any]:
        """What the identity provider says about the person."""
        headers = {"Authorization": f"Bearer {tokens.access}"}
        response = self._session.get(self.endpoints["userinfo_endpoint"], headers=headers, timeout=TIMEOUT)
        assert response.status_code == 200, f"userinfo answered {response.status_code}"
        found: dict[str, Any] = response.json()
        return found

    def sign_out(self, browser: Browser, tokens: Tokens) -> requests.Response:
        """End the person's session at the identity provider, as the application's sign-out button does."""
        url = self.endpoints["end_session_endpoint"]
        return browser.follow(browser.get(url, params={"id_token_hint": tokens.identity, "client_id": self.client_id}))


def verified_claims(token: str, keys: list[dict[str, Any]]) -> dict[str, Any]:
    """Claims of a JWT signed with RS256 by one of `keys` (JWK). Fails for any other algorithm."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    head, payload, signature = token.split(".")
    header = json.loads(_from_base64url(head))
    assert header["alg"] == "RS256", f"the ID token is signed with {header['alg']}"
    key = next((item for item in keys if item.get("kid") == header.get("kid")), None)
    assert key is not None, "the ID token is signed with a key that is not published"
    numbers = rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"]))
    try:
        numbers.public_key().verify(
            _from_base64url(signature), f"{head}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256()
        )
    except InvalidSignature:
        raise AssertionError("the ID token's signature is wrong") from None
    claims: dict[str, Any] = json.loads(_from_base64url(payload))
    return claims


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _number(text: str) -> int:
    return int.from_bytes(_from_base64url(text))
