# SPDX-License-Identifier: MIT
"""What a verification reports: text, JSON, JUnit; and that nothing looked at is never success."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from suite_deploy.report.junit import junit, write_junit
from suite_deploy.verify.plugin import hide_passing_secrets
from suite_deploy.verify.result import Finding, VerifyResult
from suite_deploy.verify.selection import matches

PASSED = Finding("facts/units/every_unit[a]", "passed", "every unit (a)", seconds=0.5)
SKIPPED = Finding("synapse/server/federation_is_closed", "skipped", "federation is closed", "federation is with b")
FAILED = Finding(
    "facts/tls/lasts[x]", "failed", "lasts (x)", "ends\x1b in <2> days\nreally", ("up renews",), "line & one", 1.25
)
MIXED = VerifyResult((PASSED, SKIPPED, FAILED), 2.0)


def test_nothing_looked_at_is_not_fine() -> None:
    assert not VerifyResult((), 0.1).ok
    assert not VerifyResult((SKIPPED,), 0.1).ok, "only skipped is nothing looked at"
    assert VerifyResult((PASSED, SKIPPED), 0.1).ok
    assert not MIXED.ok


def test_text_shows_failures_with_what_to_look_at_and_skips_with_reasons() -> None:
    text = MIXED.as_text()
    for part in ("FAILED  facts/tls/lasts[x]", "look at: up renews", "| line & one", "federation is with b"):
        assert part in text
    assert PASSED.id not in text and PASSED.id in MIXED.as_text(verbose=True)
    assert text.endswith("1 passed, 1 failed, 1 skipped in 2.0 s")


def test_json_form_is_stable() -> None:
    found = json.loads(json.dumps(MIXED.as_json()))
    assert list(found) == ["format", "ok", "passed", "failed", "skipped", "on_doubles", "seconds", "findings"]
    assert found["format"] == 1
    assert list(found["findings"][0]) == ["id", "status", "title", "message", "look_at", "journal", "seconds", "image"]


def test_a_double_is_called_one_in_every_report() -> None:
    checks = [Finding(f"{kind}/a/b", "passed", "it is (b)", image=kind) for kind in ("registry", "recipe", "double")]
    broken = Finding("double/a/c", "failed", "it is (c)", "no", image="double")
    result = VerifyResult((*checks, broken), 1.0)
    text = result.as_text(verbose=True)
    assert "ok      double/a/b (on A TEST DOUBLE)" in text and "FAILED  double/a/c (on A TEST DOUBLE)" in text
    assert "registry/a/b (on the real image)" in text and "recipe/a/b (on an image of our recipe)" in text
    assert text.endswith("3 passed, 1 failed, 0 skipped; 2 ON TEST DOUBLES in 1.0 s")
    assert [item["image"] for item in result.as_json()["findings"]] == ["registry", "recipe", "double", "double"]
    root = ElementTree.fromstring(junit(result, "demo"))
    names = [case.get("name") for case in root.iter("testcase")]
    assert names == ["b", "b", "b (on A TEST DOUBLE)", "c (on A TEST DOUBLE)"]
    assert [each.get("value") for each in root.iter("property")] == ["registry", "recipe", "double", "double"]


def test_junit_counts_and_escapes() -> None:
    root = ElementTree.fromstring(junit(MIXED, "demo"))
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("3", "1", "1")
    assert [suite.get("name") for suite in root] == ["demo.facts", "demo.synapse"]
    failure = root.find(".//failure")
    assert failure is not None and failure.get("message") == "ends\N{REPLACEMENT CHARACTER} in <2> days"
    assert failure.text is not None and "look at: up renews" in failure.text
    assert root.findtext(".//system-out") == "line & one"
    skipped = root.find(".//skipped")
    assert skipped is not None and skipped.get("message") == "federation is with b"


def test_junit_of_an_empty_run_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.xml"
    write_junit(VerifyResult((), 0.1), path, "demo")
    assert ElementTree.parse(path).getroot().get("failures") == "1"


@pytest.mark.parametrize(
    ("pattern", "identity", "meant"),
    [
        ("tls", "facts/tls/lasts[x]", True),
        ("facts/", "facts/tls/lasts[x]", True),
        ("facts/", "synapse/facts/x", True),
        ("synapse", "facts/tls/lasts[x]", False),
        ("facts/*[app-1]", "facts/units/a[app-1]", True),
        ("facts/*[app-1]", "facts/units/a[app-2]", False),
        ("*lasts*", "facts/tls/lasts[x]", True),
        ("", "anything", True),
    ],
)
def test_selection(pattern: str, identity: str, meant: bool) -> None:
    assert matches(identity, pattern) is meant


@pytest.mark.parametrize(
    "text",
    [
        "GET https://x/cb?state=SECRETVALUE&code=SECRETVALUE",
        "redirect to /?loginToken=SECRETVALUE",
        "Authorization: Bearer SECRETVALUE-SECRETVALUE",
        "token syt_SECRETVALUE_abcdef",
        "id eyJhbGciOiJSECRETVALUE.eyJzdWIiOiSECRETVALUE.SECRETVALUE",
        "PUT https://s3.x/b/k?X-Amz-Credential=SECRETVALUE%2F20261122%2Fs3&X-Amz-Expires=60&X-Amz-Signature=SECRETVALUE",
        "{'policy': 'https://s3.x/b/k?x-amz-signature=SECRETVALUE'} is not 403",
        "next=https%3A%2F%2Fs3.x%2Fk%3FX-Amz-Expires%3D60%26X-Amz-Signature%3DSECRETVALUE",
    ],
)
def test_passing_tokens_are_hidden(text: str) -> None:
    assert "SECRETVALUE" not in hide_passing_secrets(text)


def test_ordinary_text_stays() -> None:
    text = "https://x/y?page=2 answers 404; unit synapse-homeserver.service"
    assert hide_passing_secrets(text) == text
