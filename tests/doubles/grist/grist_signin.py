# SPDX-License-Identifier: MIT
"""Signing in at the identity provider, with the checks that Grist's OIDCConfig.ts makes."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Any
from urllib.parse import urlencode

import requests
from grist_settings import Refused, Settings
from joserfc import jwk, jwt

_TIMEOUT = 10


class SignInFailed(Exception):
    """What the person reads."""


class Provider:
    """The identity provider, asked about itself once, at the start."""

    def __init__(self, settings: Settings, session: Any = None):
        """Raises Refused when the provider does not answer, or offers no way to sign out."""
        self._settings = settings
        self._session = session or requests.Session()
        self._session.verify = settings.authorities
        url = f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            answer = self._session.get(url, timeout=_TIMEOUT)
            answer.raise_for_status()
            self._places: dict[str, Any] = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise Refused(f"GRIST_OIDC_IDP_ISSUER: failed to initialize OIDC client: {error}") from error
        if self._places.get("issuer") != settings.issuer:
            raise Refused(f"GRIST_OIDC_IDP_ISSUER: the provider calls itself {self._places.get('issuer')}")
        if not self._places.get("end_session_endpoint"):
            raise Refused("GRIST_OIDC_IDP_ISSUER: the Identity provider does not propose end_session_endpoint")

    @property
    def _back(self) -> str:
        return f"{self._settings.home}/oauth2/callback"

    def begin(self, target: str) -> tuple[str, dict[str, str]]:
        """Where the person goes, and what their session keeps until they come back."""
        kept = {"state": secrets.token_urlsafe(24), "targetUrl": target}
        asked = {
            "client_id": self._settings.client_id,
            "response_type": "code",
            "scope": self._settings.scopes,
            "redirect_uri": self._back,
            "state": kept["state"],
        }
        if self._settings.pkce:
            kept["codeVerifier"] = secrets.token_urlsafe(48)
            digest = hashlib.sha256(kept["codeVerifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            asked |= {"code_challenge": challenge, "code_challenge_method": "S256"}
        if self._settings.nonce:
            kept["nonce"] = asked["nonce"] = secrets.token_urlsafe(24)
        return f"{self._places['authorization_endpoint']}?{urlencode(asked)}", kept

    def finish(self, kept: dict[str, str], returned: dict[str, str]) -> tuple[dict[str, Any], str]:
        """Who came back, and the token their signing out needs. Raises SignInFailed."""
        if not kept:
            raise SignInFailed("Missing OIDC information associated to this session")
        if returned.get("state") != kept["state"] or not returned.get("code"):
            raise SignInFailed("state mismatch")
        form = {"grant_type": "authorization_code", "code": returned["code"], "redirect_uri": self._back}
        if "codeVerifier" in kept:
            form["code_verifier"] = kept["codeVerifier"]
        client = (self._settings.client_id, self._settings.client_secret)
        answer = self._session.post(self._places["token_endpoint"], data=form, auth=client, timeout=_TIMEOUT)
        if answer.status_code != 200:
            raise SignInFailed(f"the identity provider gave no token ({answer.status_code})")
        tokens = answer.json()
        self._check(tokens["id_token"], kept.get("nonce"))
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        person = self._session.get(self._places["userinfo_endpoint"], headers=headers, timeout=_TIMEOUT).json()
        if not self._settings.ignore_unverified and person.get("email_verified") is not True:
            raise SignInFailed(f"email not verified for {person.get('email')}")
        return dict(person), str(tokens["id_token"])

    def _check(self, token: str, nonce: str | None) -> None:
        wanted: dict[str, Any] = {
            "iss": {"essential": True, "value": self._settings.issuer},
            "aud": {"essential": True, "value": self._settings.client_id},
            "exp": {"essential": True},
        }
        if nonce:
            wanted["nonce"] = {"essential": True, "value": nonce}
        try:
            keys = jwk.KeySet.import_key_set(self._session.get(self._places["jwks_uri"], timeout=_TIMEOUT).json())
            found = jwt.decode(token, keys, algorithms=["RS256"])
            jwt.JWTClaimsRegistry(**wanted).validate(found.claims)
        except Exception as error:
            raise SignInFailed(f"the identity provider's token is not right: {error}") from error

    def end(self, id_token: str) -> str:
        """Where signing out goes."""
        asked = {"post_logout_redirect_uri": f"{self._settings.home}/signed-out", "client_id": self._settings.client_id}
        if id_token:
            asked["id_token_hint"] = id_token
        return f"{self._places['end_session_endpoint']}?{urlencode(asked)}"
