# SPDX-License-Identifier: MIT
"""Buckets at a real S3 interface (moto's), over the interface the engine uses."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from stacks.outscale.providers.bucket import BucketProvider, Store
from tests.stacks.outscale_double.bench import environment
from tests.stacks.outscale_double.engine import Engine, Refused, running
from tests.stacks.support import variables

#: moto knows Amazon's regions only
REGION = "us-east-1"


@dataclass
class Stand:
    engine: Engine
    endpoint: str

    @property
    def s3(self) -> Any:
        """A client of our own, to see and to meddle."""
        return boto3.client(
            "s3", region_name=REGION, endpoint_url=self.endpoint, aws_access_key_id="a", aws_secret_access_key="b"
        )

    def properties(self, name: str, **given: Any) -> dict[str, Any]:
        tags = {"Name": f"agency-{name}", "suite": "agency"}
        return {"region": REGION, "endpoint": self.endpoint, "tags": tags, "bucketName": f"agency-{name}", **given}


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        with running(environment(), {"answer": 20.0}) as engine:
            yield Stand(engine, f"http://{host}:{port}")
    finally:
        server.stop()


def made(stand: Stand, name: str, **given: Any) -> tuple[Any, dict[str, Any]]:
    inputs, failures = stand.engine.check(BucketProvider(), stand.properties(name, **given))
    assert failures == []
    return stand.engine.create(BucketProvider(), inputs), inputs


def test_a_bucket_keeps_versions_and_is_encrypted(stand: Stand) -> None:
    bucket, inputs = made(stand, "docs")
    assert bucket.id == "agency-docs"
    assert stand.s3.get_bucket_versioning(Bucket=bucket.id)["Status"] == "Enabled"
    rules = stand.s3.get_bucket_encryption(Bucket=bucket.id)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert not stand.engine.diff(BucketProvider(), bucket, inputs).changes


def test_a_bucket_of_ours_is_taken_over_with_what_is_in_it(stand: Stand) -> None:
    bucket, inputs = made(stand, "kept")
    stand.s3.put_object(Bucket=bucket.id, Key="letter", Body=b"dear")
    again = stand.engine.create(BucketProvider(), inputs)
    assert again.id == bucket.id
    assert stand.s3.get_object(Bucket=bucket.id, Key="letter")["Body"].read() == b"dear"


#: what somebody may do by hand
MEDDLING: dict[str, tuple[str, dict[str, Any]]] = {
    "versioning": ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Suspended"}}),
    "encryption": ("delete_bucket_encryption", {}),
    "corsOrigins": ("delete_bucket_cors", {}),
}


@pytest.mark.parametrize("setting", MEDDLING)
def test_a_setting_changed_by_hand_is_seen_and_put_right(stand: Stand, setting: str) -> None:
    origins = ["https://docs.agency.example"]
    bucket, inputs = made(stand, f"drift-{setting.lower()}", corsOrigins=origins)
    action, parameters = MEDDLING[setting]
    getattr(stand.s3, action)(Bucket=bucket.id, **parameters)
    seen = stand.engine.read(BucketProvider(), bucket)
    assert seen is not None and seen.outs[setting] != inputs[setting]
    assert stand.engine.read(BucketProvider(), seen) == seen, "the next run reads what this one wrote"
    difference = stand.engine.diff(BucketProvider(), seen, inputs)
    assert difference.changes and difference.replaces == ()
    after = stand.engine.update(BucketProvider(), seen, inputs)
    assert after.outs[setting] == inputs[setting]
    assert not stand.engine.diff(BucketProvider(), after, inputs).changes


def test_a_removed_bucket_is_gone_and_made_again(stand: Stand) -> None:
    bucket, inputs = made(stand, "gone")
    stand.s3.delete_bucket(Bucket=bucket.id)
    assert stand.engine.read(BucketProvider(), bucket) is None
    assert stand.engine.create(BucketProvider(), inputs).id == bucket.id


def test_a_bucket_with_data_is_only_removed_when_that_was_asked_for(stand: Stand) -> None:
    bucket, inputs = made(stand, "full")
    for body in (b"one", b"two"):
        stand.s3.put_object(Bucket=bucket.id, Key="letter", Body=body)
    stand.s3.delete_object(Bucket=bucket.id, Key="letter")
    with pytest.raises(Refused, match="delete_bucket agency-full: .*BucketNotEmpty"):
        stand.engine.delete(BucketProvider(), bucket)
    assert len(stand.s3.list_object_versions(Bucket=bucket.id)["Versions"]) == 2
    asked = stand.engine.update(BucketProvider(), bucket, {**inputs, "forceDestroy": True})
    stand.engine.delete(BucketProvider(), asked)
    assert stand.engine.read(BucketProvider(), asked) is None
    stand.engine.delete(BucketProvider(), asked)


def test_another_name_means_another_bucket(stand: Stand) -> None:
    bucket, inputs = made(stand, "name")
    assert stand.engine.diff(BucketProvider(), bucket, {**inputs, "bucketName": "agency-other"}).replaces == (
        "bucketName",
    )


@pytest.mark.parametrize("name", ["Agency", "a", "under_score", "-dash"])
def test_names_that_the_store_refuses_are_refused_before(stand: Stand, name: str) -> None:
    _, failures = stand.engine.check(BucketProvider(), stand.properties("x", bucketName=name))
    assert [key for key, _ in failures] == ["bucketName"]


def test_a_store_nobody_answers_at_is_said(stand: Stand) -> None:
    dead = {**stand.properties("dead"), "endpoint": "http://127.0.0.1:9"}
    with pytest.raises(Refused, match="head_bucket: http://127.0.0.1:9 cannot be reached"):
        stand.engine.create(BucketProvider(), dead)


class _Refusing(BaseHTTPRequestHandler):
    """As OOS answers a key of an EIM user: HEAD without a body, the rest with the code."""

    def do_HEAD(self) -> None:
        self.send_response(404 if "unseen" in self.path else 403)
        self.end_headers()

    def do_PUT(self) -> None:
        body = b"<Error><Code>InvalidAccessKeyId</Code><Message>not in our records</Message></Error>"
        self.send_response(403)
        self.send_header("x-amz-request-id", "request-1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.mark.parametrize("name", ["seen", "unseen"])
def test_a_key_of_an_eim_user_is_said_to_be_none_for_buckets(stand: Stand, name: str) -> None:
    server = HTTPServer(("127.0.0.1", 0), _Refusing)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    refused = {**stand.properties(name), "endpoint": f"http://127.0.0.1:{server.server_port}"}
    try:
        with pytest.raises(Refused, match=r"of an EIM user: .* root user only|root user only, none of EIM.*request-1"):
            stand.engine.create(BucketProvider(), refused)
    finally:
        server.shutdown()
        server.server_close()


def test_settings_of_amazons_tools_have_no_say(stand: Stand) -> None:
    ambient = {"AWS_PROFILE": "nobody", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", "AWS_REGION": "eu-west-3"}
    with variables({**environment(), **ambient}):
        client = Store(REGION, stand.endpoint).s3
    assert client.meta.endpoint_url == stand.endpoint and client.meta.region_name == REGION


def test_checksums_are_sent_and_asked_for_only_when_required(stand: Stand) -> None:
    """OOS refuses the checksums that newer SDKs add by themselves."""
    with variables(environment()):
        settings = Store(REGION, stand.endpoint).s3.meta.config
    assert settings.request_checksum_calculation == "when_required"
    assert settings.response_checksum_validation == "when_required"
