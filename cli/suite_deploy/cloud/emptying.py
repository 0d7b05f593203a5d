# SPDX-License-Identifier: MIT
"""Empties a bucket, old versions and half-sent uploads included: some clouds remove none that holds anything.

A newer provider of OVHcloud's may empty one by itself: nothing but a bucket's protection keeps its objects from a plan.
"""

from __future__ import annotations

from ..errors import CouldNotRun
from ..model.outputs import Progress
from .s3 import client_of


def empty_bucket(
    bucket: str, *, endpoint: str, region: str, access_key: str, secret_key: str, progress: Progress
) -> int:
    """Remove everything in a bucket; returns how many objects and versions went. One that is gone counts as empty.

    Raises CouldNotRun with the store's own words.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    client = client_of(endpoint=endpoint, region=region, access_key=access_key, secret_key=secret_key)
    gone = 0
    try:
        for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for item in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]:
                # One by one: what stores want as a checksum of a list differs between them.
                client.delete_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])
                gone += 1
            progress(f"emptying {bucket}: {gone} removed")
        for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
            for item in page.get("Uploads", ()):
                client.abort_multipart_upload(Bucket=bucket, Key=item["Key"], UploadId=item["UploadId"])
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "NoSuchBucket":
            return gone
        raise CouldNotRun(f"the bucket {bucket} cannot be emptied: {error}") from error
    except BotoCoreError as error:
        raise CouldNotRun(f"the bucket {bucket} cannot be emptied: {error}") from error
    return gone
