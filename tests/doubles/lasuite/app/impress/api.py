# SPDX-License-Identifier: MIT
"""Documents: who may do what, content in the bucket, conversion by the collaboration server."""

from __future__ import annotations

import base64
from typing import Any
from uuid import UUID

import requests
from botocore.exceptions import ClientError
from core.models import Document
from core.storage import bucket, client
from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.decorators import api_view, permission_classes
from rest_framework.exceptions import NotAuthenticated, PermissionDenied, ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from .tasks import reset_connections

SHOWN = (
    "AI_FEATURE_ENABLED",
    "COLLABORATION_WS_URL",
    "COLLABORATION_WS_NOT_CONNECTED_READ_ONLY",
    "CONVERSION_FILE_EXTENSIONS_ALLOWED",
    "CONVERSION_UPLOAD_ENABLED",
    "FRONTEND_CSS_URL",
    "FRONTEND_HOMEPAGE_FEATURE_ENABLED",
    "FRONTEND_JS_URL",
    "FRONTEND_SILENT_LOGIN_ENABLED",
    "LANGUAGE_CODE",
    "MEDIA_BASE_URL",
    "POSTHOG_KEY",
    "SENTRY_DSN",
    "TRASHBIN_CUTOFF_DAYS",
)


@api_view(["GET"])
@permission_classes([AllowAny])
def config(request: Request) -> Response:
    return Response({"ENVIRONMENT": "production", **{name: getattr(settings, name) for name in SHOWN}})


def abilities(document: Document, request: Request) -> dict[str, bool]:
    """What whoever asks may do with a document."""
    user, alive = request.user, document.deleted_at is None
    own = user.is_authenticated and document.creator_id == user.pk
    reach = document.link_reach
    linked = alive and (reach == "public" or (reach == "authenticated" and user.is_authenticated))
    written = own or (linked and document.link_role == "editor")
    return {
        "retrieve": own or linked,
        "update": alive and written,
        "attachment_upload": alive and written,
        "media_auth": own or linked,
        "destroy": alive and own,
        "link_configuration": alive and own,
        "versions_list": own,
    }


def allowed(request: Request, pk: UUID, ability: str) -> Document:
    """A document, if whoever asks may do this with it."""
    document = get_object_or_404(Document, pk=pk)
    if not abilities(document, request)[ability]:
        raise PermissionDenied() if request.user.is_authenticated else NotAuthenticated()
    return document


def shown(document: Document, request: Request) -> dict[str, Any]:
    names = ("title", "link_reach", "link_role", "created_at", "deleted_at")
    values = {name: getattr(document, name) for name in names}
    return {"id": str(document.pk), **values, "abilities": abilities(document, request)}


@api_view(["GET", "POST"])
def documents(request: Request) -> Response:
    if request.method == "GET":
        found = Document.objects.filter(creator=request.user, deleted_at=None).order_by("-created_at")[:20]
        return Response({"count": len(found), "results": [shown(item, request) for item in found]})
    uploaded = request.FILES.get("file")
    title, text = request.data.get("title"), ""
    if uploaded:
        if not settings.CONVERSION_UPLOAD_ENABLED:
            raise ValidationError({"file": ["file upload is not allowed"]})
        if not uploaded.name.lower().endswith(tuple(settings.CONVERSION_FILE_EXTENSIONS_ALLOWED)):
            raise ValidationError({"file": [f"File extension of {uploaded.name} is not allowed."]})
        title, text = uploaded.name, converted(uploaded.read())
    document = Document.objects.create(creator=request.user, title=title)
    if text:
        save(document, text)
    return Response(shown(document, request), status=201)


def converted(markdown: bytes) -> str:
    """Markdown as the collaboration server would hold it."""
    headers = {"Authorization": f"Bearer {settings.Y_PROVIDER_API_KEY}", "Content-Type": "text/markdown"}
    url = f"{settings.Y_PROVIDER_API_BASE_URL}convert/"
    try:
        answer = requests.post(url, data=markdown, headers=headers, timeout=30)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise ValidationError({"file": ["Could not convert file content"]}) from error
    return base64.b64encode(answer.content).decode()


def save(document: Document, text: str) -> None:
    client().put_object(Bucket=bucket(), Key=document.file_key, Body=text.encode())


@api_view(["GET", "DELETE"])
@permission_classes([AllowAny])
def document(request: Request, pk: UUID) -> Response:
    if request.method == "GET":
        return Response(shown(allowed(request, pk, "retrieve"), request))
    found = allowed(request, pk, "destroy")
    found.deleted_at = timezone.now()
    found.save()
    return Response(status=204)


@api_view(["GET", "PATCH"])
@permission_classes([AllowAny])
def content(request: Request, pk: UUID) -> HttpResponse:
    """The raw content, base64 of a Yjs update, stored as it is."""
    if request.method == "GET":
        found = allowed(request, pk, "retrieve")
        try:
            body = client().get_object(Bucket=bucket(), Key=found.file_key)["Body"].read()
        except ClientError:
            body = b""
        return HttpResponse(body, content_type="text/plain")
    found = allowed(request, pk, "update")
    text = request.data.get("content", "")
    try:
        base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ValidationError({"content": ["invalid yjs document"]}) from error
    save(found, text)
    return Response(status=204)


@api_view(["GET"])
def versions(request: Request, pk: UUID) -> Response:
    """Earlier contents, which are the object's earlier versions."""
    found = allowed(request, pk, "versions_list")
    listed = client().list_object_versions(Bucket=bucket(), Prefix=found.file_key)
    earlier = [
        {"etag": item["ETag"], "last_modified": item["LastModified"], "version_id": item["VersionId"]}
        for item in listed.get("Versions", [])
        if not item["IsLatest"]
    ]
    return Response({"count": len(earlier), "is_truncated": False, "versions": earlier})


@api_view(["PUT"])
def link_configuration(request: Request, pk: UUID) -> Response:
    found = allowed(request, pk, "link_configuration")
    reach, role = request.data.get("link_reach"), request.data.get("link_role")
    if reach not in ("restricted", "authenticated", "public") or (reach == "restricted") != (role is None):
        raise ValidationError({"link_reach": ["does not go with link_role"]})
    found.link_reach, found.link_role = reach, role
    found.save()
    reset_connections.delay(str(found.pk))
    return Response({"link_reach": reach, "link_role": role})
