# SPDX-License-Identifier: MIT
"""Role `objectstore` against a real VersityGW: who reaches what, what is put back, what is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.roles.box import Box, Converged
from tests.roles.objectstore import BUCKETS, HOME, NOTES, ORIGIN, ROOT_SECRET, SHEETS, SLUG, Store, store_on

pytestmark = pytest.mark.needs_root

MIB = 1024 * 1024
TIMEOUT = 30
Refusal = Callable[..., str]


@pytest.fixture(scope="module")
def server(box: Box, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with store_on(box, tmp_path_factory.mktemp(SLUG)) as running:
        yield running


@pytest.fixture(scope="module")
def first(server: Store) -> Converged:
    return server.converge("first")


@pytest.fixture(scope="module")
def store(server: Store, first: Converged) -> Store:
    return server


@pytest.fixture(scope="module")
def notes(store: Store) -> Any:
    return store.client(NOTES)


@pytest.fixture(scope="module")
def sheets(store: Store) -> Any:
    return store.client(SHEETS)


def refusal(call: Callable[..., Any], **arguments: Any) -> str:
    """The error code a request is answered with, empty when it is not refused."""
    try:
        call(**arguments)
    except ClientError as error:
        code = str(error.response["Error"]["Code"])
        # a HEAD has no body to say more in
        return {"403": "AccessDenied"}.get(code, code)
    return ""


def test_second_run_changes_nothing(store: Store) -> None:
    assert store.converge("second").changed == ()
    assert store.converge("check", "--check").changed == ()


def test_application_keeps_versions_and_gets_deleted_ones_back(notes: Any) -> None:
    bucket, key = NOTES["name"], "a folder/é+x"
    old = notes.put_object(Bucket=bucket, Key=key, Body=b"one", ContentType="text/plain")["VersionId"]
    new = notes.put_object(Bucket=bucket, Key=key, Body=b"two")["VersionId"]
    assert notes.get_object(Bucket=bucket, Key=key)["Body"].read() == b"two"
    before = notes.get_object(Bucket=bucket, Key=key, VersionId=old)
    assert (before["Body"].read(), before["ContentType"]) == (b"one", "text/plain")
    marker = notes.delete_object(Bucket=bucket, Key=key)
    assert marker["DeleteMarker"] and refusal(notes.get_object, Bucket=bucket, Key=key) == "NoSuchKey"
    listed = notes.list_object_versions(Bucket=bucket, Prefix=key)
    assert [item["VersionId"] for item in listed["Versions"]] == [new, old]
    assert [item["IsLatest"] for item in listed["DeleteMarkers"]] == [True]
    notes.delete_object(Bucket=bucket, Key=key, VersionId=marker["VersionId"])
    assert notes.get_object(Bucket=bucket, Key=key)["Body"].read() == b"two"
    # an application that tidies up removes single versions
    notes.delete_object(Bucket=bucket, Key=key, VersionId=old)
    assert [item["VersionId"] for item in notes.list_object_versions(Bucket=bucket, Prefix=key)["Versions"]] == [new]


def test_application_finds_its_bucket_ready(notes: Any, sheets: Any) -> None:
    assert notes.get_bucket_versioning(Bucket=NOTES["name"])["Status"] == "Enabled"
    assert "Status" not in sheets.get_bucket_versioning(Bucket=SHEETS["name"])
    assert notes.head_bucket(Bucket=NOTES["name"])["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert notes.get_bucket_location(Bucket=NOTES["name"])["LocationConstraint"] == "suite"


def test_large_objects_arrive_in_parts(notes: Any) -> None:
    where = {"Bucket": NOTES["name"], "Key": "large"}
    upload = notes.create_multipart_upload(**where)["UploadId"]
    parts = [
        {
            "PartNumber": number,
            "ETag": notes.upload_part(**where, PartNumber=number, UploadId=upload, Body=body)["ETag"],
        }
        for number, body in enumerate((b"a" * 5 * MIB, b"b" * MIB), start=1)
    ]
    notes.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
    assert notes.get_object(**where, Range=f"bytes={5 * MIB - 1}-{5 * MIB}")["Body"].read() == b"ab"
    abandoned = notes.create_multipart_upload(**where)["UploadId"]
    assert [item["UploadId"] for item in notes.list_multipart_uploads(Bucket=NOTES["name"])["Uploads"]] == [abandoned]
    notes.abort_multipart_upload(**where, UploadId=abandoned)


def test_signed_link_works_for_whoever_has_it_and_for_that_object_only(notes: Any) -> None:
    for key in ("shared", "private"):
        notes.put_object(Bucket=NOTES["name"], Key=key, Body=key.encode())
    link = notes.generate_presigned_url("get_object", Params={"Bucket": NOTES["name"], "Key": "shared"}, ExpiresIn=60)
    assert requests.get(link, timeout=TIMEOUT).content == b"shared"
    assert requests.get(link.replace("shared", "private"), timeout=TIMEOUT).status_code == 403


def test_neighbour_is_refused_whatever_is_asked(store: Store, notes: Any, sheets: Any) -> None:
    version = notes.put_object(Bucket=NOTES["name"], Key="secret", Body=b"x")["VersionId"]
    bucket, theirs = {"Bucket": NOTES["name"]}, {"Bucket": NOTES["name"], "Key": "secret"}
    source = {**theirs, "VersionId": version}
    answers = {
        "list": refusal(sheets.list_objects_v2, **bucket),
        "list versions": refusal(sheets.list_object_versions, **bucket),
        "list uploads": refusal(sheets.list_multipart_uploads, **bucket),
        "head bucket": refusal(sheets.head_bucket, **bucket),
        "get": refusal(sheets.get_object, **theirs),
        "get version": refusal(sheets.get_object, **theirs, VersionId=version),
        "head": refusal(sheets.head_object, **theirs),
        "put": refusal(sheets.put_object, **theirs, Body=b"y"),
        "delete": refusal(sheets.delete_object, **theirs),
        "delete version": refusal(sheets.delete_object, **theirs, VersionId=version),
        "copy": refusal(sheets.copy_object, Bucket=SHEETS["name"], Key="taken", CopySource=source),
        "upload": refusal(sheets.create_multipart_upload, **theirs),
    }
    assert set(answers.values()) == {"AccessDenied"}, answers
    assert notes.get_object(**theirs)["Body"].read() == b"x"


def test_application_rules_neither_its_bucket_nor_the_store(notes: Any) -> None:
    bucket = {"Bucket": NOTES["name"]}
    everyone = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{NOTES['name']}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everyone]})
    answers = {
        "policy": refusal(notes.put_bucket_policy, **bucket, Policy=policy),
        "no policy": refusal(notes.delete_bucket_policy, **bucket),
        "acl": refusal(notes.put_object_acl, **bucket, Key="secret", ACL="public-read"),
        "versioning": refusal(notes.put_bucket_versioning, **bucket, VersioningConfiguration={"Status": "Suspended"}),
        "cors": refusal(notes.delete_bucket_cors, **bucket),
        "remove": refusal(notes.delete_bucket, **bucket),
        "another": refusal(notes.create_bucket, Bucket="tests-another"),
    }
    assert set(answers.values()) <= {"AccessDenied", "NotImplemented"}, answers
    assert answers["policy"] == answers["remove"] == answers["another"] == "AccessDenied"
    assert SHEETS["name"] not in [item["Name"] for item in notes.list_buckets()["Buckets"]]


def test_nobody_gets_in_without_a_key(store: Store, notes: Any) -> None:
    notes.put_object(Bucket=NOTES["name"], Key="secret", Body=b"x", ACL="public-read")
    for method, path in (
        ("GET", ""),
        ("GET", NOTES["name"]),
        ("GET", f"{NOTES['name']}?versions"),
        ("GET", f"{NOTES['name']}/secret"),
        ("HEAD", f"{NOTES['name']}/secret"),
        ("PUT", f"{NOTES['name']}/mine"),
        ("DELETE", f"{NOTES['name']}/secret"),
        ("PUT", "tests-mine"),
    ):
        answer = requests.request(method, f"{store.url}/{path}", data=b"", timeout=TIMEOUT)
        assert answer.status_code == 403, f"{method} /{path} is answered with {answer.status_code}"
    wrong = store.client(NOTES, secret="not-the-secret")
    assert refusal(wrong.list_objects_v2, Bucket=NOTES["name"]) == "SignatureDoesNotMatch"


def test_pages_reach_only_the_bucket_that_declares_them(store: Store) -> None:
    def preflight(bucket: str, origin: str) -> str | None:
        asked = {
            "Origin": origin,
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": "x-amz-acl",
        }
        answer = requests.options(f"{store.url}/{bucket}/key", headers=asked, timeout=TIMEOUT)
        return answer.headers.get("Access-Control-Allow-Origin")

    assert preflight(SHEETS["name"], ORIGIN) == ORIGIN
    assert preflight(SHEETS["name"], "https://elsewhere.example") is None
    assert preflight(NOTES["name"], ORIGIN) is None


def test_administration_has_no_port(store: Store) -> None:
    for path in ("list-users", "create-user", "list-buckets"):
        answer = requests.request("PATCH", f"{store.url}/{path}", timeout=TIMEOUT)
        assert answer.status_code in (403, 405), f"/{path} is answered with {answer.status_code}"
    mode = store.box.succeed(f"stat -c '%a %F' {HOME}/iam/admin.sock")
    assert mode == "600 socket"
    listening = store.box.succeed(f"podman exec --user 0 test-{SLUG} cat /proc/net/tcp /proc/net/tcp6")
    ports = {int(line.split()[1].rpartition(":")[2], 16) for line in listening.splitlines() if " 0A " in line}
    assert ports == {7070}


def test_secrets_are_where_only_root_looks(store: Store, first: Converged) -> None:
    output = first.output + store.converge("verbose", "-v", "--diff").output
    known = {ROOT_SECRET, NOTES["secret"], SHEETS["secret"]}
    assert [secret for secret in known if secret in output] == []
    processes = store.box.succeed("ps axww -o args")
    assert "versitygw posix /data" in processes
    assert [secret for secret in known if secret in processes] == []
    assert store.box.succeed(f"stat -c %a {HOME}/iam/users.json") == "600"


def test_changed_secret_replaces_the_old_one(store: Store) -> None:
    new = {**SHEETS, "secret": "another-secret-of-the-tests-0123"}
    changed = store.converge("rotate", buckets=(BUCKETS[0], {**BUCKETS[1], **new})).changed
    assert len(changed) == 1
    assert refusal(store.client(SHEETS).list_objects_v2, Bucket=SHEETS["name"]) == "SignatureDoesNotMatch"
    assert refusal(store.client(new).list_objects_v2, Bucket=SHEETS["name"]) == ""
    store.converge("back")
    assert refusal(store.client(SHEETS).list_objects_v2, Bucket=SHEETS["name"]) == ""


def test_what_was_changed_by_hand_is_put_back(store: Store, notes: Any) -> None:
    name = NOTES["name"]
    notes.put_object(Bucket=name, Key="secret", Body=b"x")
    everyone = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{name}/*"}
    open_to_all = json.dumps({"Version": "2012-10-17", "Statement": [everyone]})
    store.root.put_bucket_policy(Bucket=name, Policy=open_to_all)
    store.root.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}
    for bucket in (name, SHEETS["name"]):
        store.root.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    assert requests.get(f"{store.url}/{name}/secret", timeout=TIMEOUT).status_code == 200

    assert len(store.converge("by hand").changed) == 1

    assert requests.get(f"{store.url}/{name}/secret", timeout=TIMEOUT).status_code == 403
    assert notes.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert refusal(store.root.get_bucket_cors, Bucket=name) == "NoSuchCORSConfiguration"
    rules = store.root.get_bucket_cors(Bucket=SHEETS["name"])["CORSRules"]
    assert [rule["AllowedOrigins"] for rule in rules] == [[ORIGIN]]
    assert store.converge("after").changed == ()


def test_removed_application_leaves_its_data_and_loses_its_key(store: Store, notes: Any) -> None:
    version = notes.put_object(Bucket=NOTES["name"], Key="kept", Body=b"old")["VersionId"]
    notes.put_object(Bucket=NOTES["name"], Key="kept", Body=b"new")
    gone = store.converge("removed", buckets=BUCKETS[1:])
    assert NOTES["name"] in gone.output
    assert refusal(notes.get_object, Bucket=NOTES["name"], Key="kept") == "InvalidAccessKeyId"
    kept = store.root.get_object(Bucket=NOTES["name"], Key="kept", VersionId=version)
    assert kept["Body"].read() == b"old"
    again = store.converge("removed2", buckets=BUCKETS[1:])
    assert again.changed == () and NOTES["name"] in again.output

    store.converge("enabled")
    assert notes.get_object(Bucket=NOTES["name"], Key="kept")["Body"].read() == b"new"


def test_restart_loses_nothing(store: Store, notes: Any) -> None:
    notes.put_object(Bucket=NOTES["name"], Key="lasting", Body=b"x")
    store.restarted()
    assert notes.get_object(Bucket=NOTES["name"], Key="lasting")["Body"].read() == b"x"
    assert store.converge("restart").changed == ()


def test_two_applications_cannot_share_a_name(store: Store) -> None:
    twin = {**BUCKETS[1], "name": NOTES["name"]}
    with pytest.raises(AssertionError, match="several buckets have the same name"):
        store.converge("twins", buckets=(BUCKETS[0], twin))
