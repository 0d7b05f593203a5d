# SPDX-License-Identifier: MIT
"""Background pictures: browsers put them into the bucket with a signed address, and read them through edge."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from core.models import File
from core.storage import asked_for, bucket, client, head, signature
from django.conf import settings
from django.http import Http404
from django.shortcuts import get_object_or_404
from rest_framework.decorators import api_view, permission_classes
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from .tasks import remove_objects

LARGEST = 2 * 2**20
PICTURES = {"png": b"\x89PNG\r\n\x1a\n", "jpg": b"\xff\xd8\xff", "jpeg": b"\xff\xd8\xff"}
UUID4 = r"[a-fA-F0-9]{8}(?:-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}"
MEDIA = re.compile(rf"/media/(?P<key>files/(?P<pk>{UUID4})\.[a-zA-Z0-9]{{1,10}})$")


def shown(file: File) -> dict[str, Any]:
    ready = file.upload_state == "ready"
    url = f"{settings.MEDIA_BASE_URL}/media/{file.file_key}" if ready else None
    return {"id": str(file.pk), "filename": file.filename, "upload_state": file.upload_state, "url": url}


@api_view(["POST"])
def files(request: Request) -> Response:
    name = str(request.data.get("filename", ""))
    if name.rpartition(".")[2].lower() not in PICTURES:
        raise ValidationError({"filename": ["This file extension is not allowed."]})
    made = File.objects.create(creator=request.user, filename=name, type=request.data.get("type", ""))
    policy = client().generate_presigned_url(
        ClientMethod="put_object",
        Params={"Bucket": bucket(), "Key": made.temporary_key, "ACL": "private"},
        ExpiresIn=settings.AWS_S3_UPLOAD_POLICY_EXPIRATION,
    )
    return Response({**shown(made), "policy": policy}, status=201)


def own(request: Request, pk: UUID) -> File:
    return get_object_or_404(File, pk=pk, creator=request.user, deleted_at=None)


@api_view(["POST"])
def upload_ended(request: Request, pk: UUID) -> Response:
    if not settings.FILE_UPLOAD_ENABLED:
        raise Http404
    found = own(request, pk)
    source = {"Bucket": bucket(), "Key": found.temporary_key}
    client().copy_object(Bucket=bucket(), Key=found.file_key, CopySource=source)
    kept = head(found.file_key)
    start = client().get_object(Bucket=bucket(), Key=found.file_key, Range="bytes=0-15")["Body"].read()
    if not kept or kept["ContentLength"] > LARGEST or not start.startswith(PICTURES[found.extension]):
        remove_objects.delay([found.file_key, found.temporary_key])
        found.delete()
        raise ValidationError({"file": ["The file type is not allowed."]})
    found.upload_state = "ready"
    found.save()
    return Response(shown(found))


@api_view(["GET", "DELETE"])
def file(request: Request, pk: UUID) -> Response:
    found = own(request, pk)
    if request.method == "GET":
        return Response(shown(found))
    remove_objects.delay([found.file_key, found.temporary_key])
    found.delete()
    return Response(status=204)


@api_view(["GET"])
@permission_classes([AllowAny])
def media_auth(request: Request) -> Response:
    if not settings.FILE_UPLOAD_ENABLED:
        raise Http404
    match = MEDIA.search(asked_for(request))
    found = match and File.objects.filter(pk=match["pk"], upload_state="ready").first()
    if not match or not found or not request.user.is_authenticated or found.creator_id != request.user.pk:
        raise PermissionDenied
    return Response("authorized", headers=dict(signature(match["key"])))
