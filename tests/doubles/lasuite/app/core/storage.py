# SPDX-License-Identifier: MIT
"""The bucket: written by the application, read by people through edge, which is handed a signature for each object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import botocore.auth
import botocore.awsrequest
from botocore.exceptions import ClientError
from django.core.files.storage import default_storage
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request


def client() -> Any:
    """The S3 client as django-storages configures it."""
    return default_storage.connection.meta.client


def bucket() -> str:
    return str(default_storage.bucket_name)


def signature(key: str) -> Mapping[str, str]:
    """Headers that let whoever sends them read one object (Signature Version 4 over the store's own host name)."""
    target = default_storage.unsigned_connection.meta.client.generate_presigned_url(
        "get_object", ExpiresIn=0, Params={"Bucket": bucket(), "Key": key}
    )
    request = botocore.awsrequest.AWSRequest(method="get", url=target)
    credentials = client()._request_signer._credentials.get_frozen_credentials()
    botocore.auth.S3SigV4Auth(credentials, "s3", client().meta.region_name).add_auth(request)
    return dict(request.headers.items())


def asked_for(request: Request) -> str:
    """Path of the request that edge asks about. Raises PermissionDenied when edge does not say."""
    original = request.META.get("HTTP_X_ORIGINAL_URL")
    if not original:
        raise PermissionDenied
    return urlsplit(original).path


def head(key: str) -> Mapping[str, Any] | None:
    """What is known about an object, or nothing when there is none."""
    try:
        found: Mapping[str, Any] = client().head_object(Bucket=bucket(), Key=key)
    except ClientError:
        return None
    return found


def metadata(key: str) -> dict[str, str]:
    found = head(key)
    return {name.lower(): value for name, value in found["Metadata"].items()} if found else {}


def mark_ready(key: str) -> None:
    """As after a check for malware: metadata cannot be changed, so the object is copied onto itself."""
    found = head(key)
    assert found is not None
    client().copy_object(
        Bucket=bucket(),
        Key=key,
        CopySource={"Bucket": bucket(), "Key": key},
        ContentType=found["ContentType"],
        Metadata={**metadata(key), "status": "ready"},
        MetadataDirective="REPLACE",
    )
