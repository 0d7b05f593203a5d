# SPDX-License-Identifier: MIT
"""Attachments: put into the bucket by the application, read through edge, which asks here about each request."""

from __future__ import annotations

import mimetypes
import re
from urllib.parse import urlencode
from uuid import UUID, uuid4

from core.models import Document
from core.storage import asked_for, bucket, client, mark_ready, metadata, signature
from django.conf import settings
from django.urls import reverse
from rest_framework.decorators import api_view, permission_classes
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from .api import abilities, allowed

UUID4 = r"[a-fA-F0-9]{8}(?:-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}"
MEDIA = re.compile(rf"/media/(?P<key>(?P<pk>{UUID4})/attachments/{UUID4}(?:-unsafe)?\.[a-zA-Z0-9]{{1,10}})$")


@api_view(["POST"])
@permission_classes([AllowAny])
def attachment_upload(request: Request, pk: UUID) -> Response:
    found = allowed(request, pk, "attachment_upload")
    file = request.FILES.get("file")
    if file is None:
        raise ValidationError({"file": ["No file was submitted."]})
    if file.size > settings.DOCUMENT_IMAGE_MAX_SIZE:
        raise ValidationError({"file": ["File size exceeds the maximum limit."]})
    extension = file.name.rpartition(".")[2]
    key = f"{found.pk}/attachments/{uuid4()}.{extension}"
    extra = {
        "Metadata": {"owner": str(request.user.pk), "status": "processing"},
        "ContentType": mimetypes.guess_type(file.name)[0] or "application/octet-stream",
        "ContentDisposition": f'attachment; filename="{uuid4().hex}.{extension}"',
    }
    client().upload_fileobj(file, bucket(), key, ExtraArgs=extra)
    found.attachments = [*found.attachments, key]
    found.save()
    mark_ready(key)
    check = reverse("documents-media-check", kwargs={"pk": found.pk})
    return Response({"file": f"{check}?{urlencode({'key': key})}"}, status=201)


@api_view(["GET"])
@permission_classes([AllowAny])
def media_check(request: Request, pk: UUID) -> Response:
    found = allowed(request, pk, "retrieve")
    key = request.query_params.get("key")
    if key not in found.attachments:
        raise NotFound("Attachment missing")
    status = metadata(key).get("status", "processing")
    return Response({"status": status, **({"file": f"/media/{key}"} if status == "ready" else {})})


@api_view(["GET"])
@permission_classes([AllowAny])
def media_auth(request: Request) -> Response:
    match = MEDIA.search(asked_for(request))
    found = match and Document.objects.filter(pk=match["pk"], attachments__contains=[match["key"]]).first()
    if not match or not found or not abilities(found, request)["media_auth"]:
        raise PermissionDenied
    if metadata(match["key"]).get("status", "ready") != "ready":
        raise PermissionDenied
    return Response("authorized", headers=dict(signature(match["key"])))
