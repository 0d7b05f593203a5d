# SPDX-License-Identifier: MIT
"""The requests that hosts send to their object store: signed as the reference client does, answers read with care."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qsl
from xml.parsers.expat import ExpatError

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from suite_deploy.paths import resource_root
from tests.checkout import module_at

SOURCE = resource_root() / "roles/objectstore/module_utils/suite_s3.py"
SECRET = "root-secret-of-the-tests"


@pytest.fixture(scope="module")
def suite_s3() -> ModuleType:
    return module_at(SOURCE)


@pytest.mark.parametrize("body", [b"", b"<Account/>"])
@pytest.mark.parametrize("query", [{}, {"policy": ""}, {"access": "a b/é+~&=", "Z": "1"}])
def test_requests_are_signed_as_the_reference_client_signs_them(
    suite_s3: ModuleType, query: dict[str, str], body: bytes
) -> None:
    host, path, now = "127.0.0.1:20060", "/tests-docs", datetime.now(UTC)
    ours = suite_s3.signed_headers("PUT", host, path, query, body, "suite-root", SECRET, "suite", now)
    assert dict(parse_qsl(suite_s3.encoded(query), keep_blank_values=True)) == query
    told = {name: value for name, value in ours.items() if name != "authorization"}
    request = AWSRequest("PUT", f"http://{host}{path}", told, body, params=query)
    request.context["timestamp"] = ours["x-amz-date"]
    signer = S3SigV4Auth(Credentials("suite-root", SECRET), "s3", "suite")
    text = signer.string_to_sign(request, signer.canonical_request(request))
    assert ours["authorization"].endswith(f"Signature={signer.signature(text, request)}")


def test_answers_are_read_whatever_their_namespace(suite_s3: ModuleType) -> None:
    answer = (
        b'<Rules xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><Origin>a&amp;b</Origin></Rule><Rule/></Rules>'
    )
    rules = suite_s3.parse(answer).all("Rule")
    assert [rule.text_of("Origin") for rule in rules] == ["a&b", ""]
    assert suite_s3.explain(b"<Error><Code>NoSuchBucket</Code><Message>m</Message></Error>") == ("NoSuchBucket", "m")
    assert suite_s3.explain(b"Bad Gateway") == ("", "")


def test_answers_with_entities_of_their_own_are_refused(suite_s3: ModuleType) -> None:
    with pytest.raises(ExpatError, match="entities"):
        suite_s3.parse(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')


@pytest.mark.parametrize("socket", [True, False])
def test_where_nothing_answers_is_said_without_the_secret(suite_s3: ModuleType, tmp_path: Path, socket: bool) -> None:
    address = str(tmp_path / "admin.sock") if socket else "http://127.0.0.1:1"
    gateway = suite_s3.Gateway(address, "suite-root", SECRET, "suite", patience=0)
    with pytest.raises(suite_s3.Unreachable, match="nothing answers at") as error:
        gateway.call("PATCH", "/list-users")
    assert address in str(error.value) and SECRET not in str(error.value)
