# SPDX-License-Identifier: MIT
"""Rooms: made by people who signed in, entered with a token for the media server."""

from __future__ import annotations

import uuid
from typing import Any

from core.models import Room
from django.conf import settings
from django.http import Http404
from django.utils.text import slugify
from double.rooms import room_id
from livekit.api import AccessToken, TokenVerifier, VideoGrants, WebhookReceiver
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.exceptions import NotAuthenticated, PermissionDenied, ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

SOURCES = ["camera", "microphone", "screen_share", "screen_share_audio"]


@api_view(["GET"])
@permission_classes([AllowAny])
def config(request: Request) -> Response:
    return Response(
        {
            "LANGUAGE_CODE": settings.LANGUAGE_CODE,
            "analytics": settings.FRONTEND_ANALYTICS,
            "support": settings.FRONTEND_SUPPORT,
            "feedback": settings.FRONTEND_FEEDBACK,
            "recording": {"is_enabled": settings.RECORDING_ENABLE},
            "background_image": {"upload_is_enabled": settings.FILE_UPLOAD_ENABLED},
            "resource": {"default_access_level": settings.RESOURCE_DEFAULT_ACCESS_LEVEL},
            "livekit": {"url": settings.LIVEKIT_CONFIGURATION["url"]},
        }
    )


def token(room: str, request: Request, owner: bool) -> str:
    """What the media server lets somebody in with."""
    user, livekit = request.user, settings.LIVEKIT_CONFIGURATION
    grants = VideoGrants(
        room=room,
        room_join=True,
        room_admin=owner,
        can_update_own_metadata=False,
        can_publish=True,
        can_publish_sources=SOURCES,
        can_subscribe=True,
    )
    identity = str(user.sub) if user.is_authenticated else str(uuid.uuid4())
    name = (user.full_name or str(user)) if user.is_authenticated else "Anonymous"
    made = AccessToken(livekit["api_key"], livekit["api_secret"]).with_grants(grants)
    return str(made.with_identity(identity).with_name(name).to_jwt())


def shown(room: Room, request: Request) -> dict[str, Any]:
    user = request.user
    owner = user.is_authenticated and room.creator_id == user.pk
    enters = owner or room.access_level == "public" or (room.access_level == "trusted" and user.is_authenticated)
    output: dict[str, Any] = {
        "id": str(room.pk),
        "name": room.name,
        "slug": room.slug,
        "access_level": room.access_level,
    }
    if enters:
        url = settings.LIVEKIT_CONFIGURATION["url"]
        output["livekit"] = {"url": url, "room": str(room.pk), "token": token(str(room.pk), request, owner)}
    return output


@api_view(["GET", "POST"])
@permission_classes([AllowAny])
def rooms(request: Request) -> Response:
    if not request.user.is_authenticated:
        raise NotAuthenticated
    if request.method == "GET":
        found = Room.objects.filter(creator=request.user)
        return Response({"count": len(found), "results": [shown(item, request) for item in found]})
    name = request.data.get("name", "")
    slug = slugify(name)
    if not slug or Room.objects.filter(slug=slug).exists():
        raise ValidationError({"slug": ["Room with this name already exists or has none."]})
    level = request.data.get("access_level", settings.RESOURCE_DEFAULT_ACCESS_LEVEL)
    made = Room.objects.create(creator=request.user, name=name, slug=slug, access_level=level)
    return Response(shown(made, request), status=201)


@api_view(["GET", "DELETE"])
@permission_classes([AllowAny])
def room(request: Request, pk: str) -> Response:
    try:
        found = Room.objects.filter(pk=uuid.UUID(pk)).first()
    except ValueError:
        found = Room.objects.filter(slug=slugify(pk)).first()
    if found is None:
        if not settings.ALLOW_UNREGISTERED_ROOMS or request.method != "GET":
            raise Http404
        livekit = {"url": settings.LIVEKIT_CONFIGURATION["url"], "room": pk, "token": token(pk, request, False)}
        return Response({"id": None, "slug": pk, "livekit": livekit})
    if request.method == "GET":
        return Response(shown(found, request))
    if not request.user.is_authenticated:
        raise NotAuthenticated
    if found.creator_id != request.user.pk:
        raise PermissionDenied
    found.delete()
    return Response(status=204)


@api_view(["POST"])
@authentication_classes([])
@permission_classes([])
def webhook(request: Request) -> Response:
    """The media server reports; its signature covers what it says."""
    livekit = settings.LIVEKIT_CONFIGURATION
    authorization = request.headers.get("Authorization")
    if not authorization:
        return Response({"status": "error"}, status=401)
    receiver = WebhookReceiver(TokenVerifier(livekit["api_key"], livekit["api_secret"]))
    try:
        event = receiver.receive(request.body.decode(), authorization)
    except Exception:  # the library raises what its parts raise
        return Response({"status": "error"}, status=400)
    for found in Room.objects.filter(pk=room_id(event.room.name)):
        found.events = [*found.events, event.event]
        found.save()
    return Response({"status": "success"})
