# SPDX-License-Identifier: MIT
"""Who is signed in."""

from __future__ import annotations

from django.conf import settings
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response


@api_view(["GET"])
def me(request: Request) -> Response:
    user = request.user
    names = {"full_name": user.full_name, "short_name": user.short_name}
    return Response({"id": str(user.pk), "email": user.email, **names, "language": settings.LANGUAGE_CODE})
