# SPDX-License-Identifier: MIT
"""A bucket is emptied with every version, marker and half-sent upload, so that a cloud lets it go."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from suite_deploy.cloud.emptying import empty_bucket
from suite_deploy.errors import CouldNotRun

from .s3_store import endpoint

__all__ = ["endpoint"]


def emptied(endpoint: str, bucket: str) -> int:
    return empty_bucket(
        bucket, endpoint=endpoint, region="us-east-1", access_key="a", secret_key="s", progress=lambda text: None
    )


def test_nothing_is_left_of_a_bucket_with_versions(endpoint: str) -> None:
    client: Any = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="s"
    )
    client.create_bucket(Bucket="suite-docs")
    client.put_bucket_versioning(Bucket="suite-docs", VersioningConfiguration={"Status": "Enabled"})
    for text in (b"one", b"two"):
        client.put_object(Bucket="suite-docs", Key="a/b", Body=text)
    client.put_object(Bucket="suite-docs", Key="deleted", Body=b"x")
    client.delete_object(Bucket="suite-docs", Key="deleted")
    client.create_multipart_upload(Bucket="suite-docs", Key="half")
    assert emptied(endpoint, "suite-docs") == 4, "two versions, one deleted with its marker"
    client.delete_bucket(Bucket="suite-docs")


def test_a_bucket_that_is_gone_is_empty(endpoint: str) -> None:
    assert emptied(endpoint, "never-made") == 0


def test_a_store_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(CouldNotRun, match="suite-docs cannot be emptied"):
        emptied("http://127.0.0.1:9", "suite-docs")
