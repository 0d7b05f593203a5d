# SPDX-License-Identifier: MIT
"""Sign-in by the library the real applications use."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from lasuite.oidc_login.backends import OIDCAuthenticationBackend
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request


class Backend(OIDCAuthenticationBackend):
    """Names as the two applications take them."""

    def get_extra_claims(self, user_info: dict[str, Any]) -> dict[str, Any]:
        return {
            "full_name": self.compute_full_name(user_info),
            "short_name": user_info.get(settings.OIDC_USERINFO_SHORTNAME_FIELD),
        }


class SessionWith401(SessionAuthentication):
    """Strangers are told to sign in rather than that they may not."""

    def authenticate_header(self, request: Request) -> str:
        return "Session"
