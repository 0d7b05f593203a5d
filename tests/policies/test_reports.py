# SPDX-License-Identifier: MIT
"""What people, programs and CI read, and what is kept as evidence."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from suite_deploy.main import main
from suite_deploy.policy import ruleset
from suite_deploy.policy.evidence import write
from suite_deploy.policy.findings import Status, Verdict
from suite_deploy.report.findings import render
from tests.checkout import ROOT

from .support import EXAMPLES, deployment, find, judge, subject, verdict

SCHEMA = json.loads((ROOT / "docs/reference/policy-report.schema.json").read_text())
CLAIM = re.compile(
    r"(suite|deployment)\b[^.\n]{0,40}\b(is|are)\b[^.\n]{0,20}\b(qualified|certified|compliant)", re.IGNORECASE
)


@pytest.fixture(scope="module")
def refused() -> Verdict:
    return judge(deployment("example-outscale-refused"))


def test_the_text_is_the_documented_one(refused: Verdict) -> None:
    lines = render(refused).splitlines()
    place = lines[0].partition(": infrastructure.region: ")
    assert re.fullmatch(r".*inventories/example-outscale-refused/suite\.yml:11", place[0])
    assert place[2] == "outscale eu-west-2 is not covered by a SecNumCloud qualification."
    assert lines[1:5] == [
        "  Decision 2118 (IaaS Cloud on Demand, until 2026-11-30): the register links it to cloudgouv-eu-west-1 only "
        "(confidence B). Profile fr-snc requires a qualified offer.",
        "  eu-west-2 belongs to outscale/public-cloud.",
        "  Qualified on 2026-09-15 and reachable from here: outscale/iaas-cloud-on-demand (cloudgouv-eu-west-1, "
        "until 2026-11-30); ovhcloud/snc-cloud-platform (eu-west-rbx-snc, eu-west-sbg-snc, eu-west-gra-snc).",
        "  [REG-001 mandatory · register of 2026-09-15 · suite-deploy policy explain REG-001]",
    ]
    assert lines[-1] == "refused: nothing may be created"


def test_text_says_what_the_hosting_is_and_what_was_only_declared() -> None:
    said = render(judge(deployment("example-openstack-accepted")))
    assert "hosted on ANSSI-qualified service SNC Cloud Platform" in said
    assert "decision 3393, valid until 2029-07-31, per the catalogue of 2026-09-15" in said
    assert "declared by the operator, not verified" in said
    assert "decision number of confidence C" in said
    assert said.endswith("accepted\n")


def test_a_commune_is_told_that_no_label_is_required() -> None:
    changed = {
        "data": {"entity": "commune", "sensitivity": "ordinary"},
        "infrastructure": {
            "offer": "ovhcloud/public-cloud",
            "region": "GRA11",
            "auth_url": "https://auth.cloud.ovh.net/v3",
        },
    }
    found = verdict(subject(suite=changed))
    assert not found.blocking
    assert "the label secnumcloud is not required of commune with ordinary data" in render(found)
    assert "décret n° 2026-272" in render(found)


def test_a_provisional_profile_says_so() -> None:
    said = render(verdict(subject(suite={"profile": "fr-hds", "data": {"sensitivity": "health"}})))
    assert "note: profile fr-hds: Provisional" in said


@pytest.mark.parametrize("name", EXAMPLES)
def test_json_keeps_to_its_schema(name: str) -> None:
    Draft202012Validator(SCHEMA).validate(json.loads(render(judge(deployment(name)), "json")))


@pytest.mark.parametrize("name", EXAMPLES)
def test_junit_fails_exactly_where_the_verdict_blocks(name: str) -> None:
    found = judge(deployment(name))
    root = ElementTree.fromstring(render(found, "junit"))
    cases = list(root.iter("testcase"))
    assert len(cases) == len(found.findings)
    red = sum(1 for case in cases if case.find("failure") is not None or case.find("error") is not None)
    assert red == sum(1 for item in found.findings if item.is_blocking)
    assert bool(red) == found.blocking


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("kind", ["text", "json", "junit"])
def test_no_report_claims_that_the_suite_is_qualified(name: str, kind: str) -> None:
    assert not CLAIM.search(render(judge(deployment(name)), kind))


def test_control_characters_do_not_break_junit() -> None:
    found = verdict(subject(suite={"infrastructure": {"region": "\x00\x1b[31m"}}))
    ElementTree.fromstring(render(found, "junit"))


def test_evidence_holds_what_retraces_the_verdict(tmp_path: Path, refused: Verdict) -> None:
    path = tmp_path / "evidence" / "x.json"
    write(refused.evidence, path)
    kept = json.loads(path.read_text())
    assert kept["signed"] is False
    assert kept["register"]["as_of"] == "2026-09-15"
    assert len(kept["register"]["digest"]) == len(kept["rules"]["digest"]) == len(kept["inputs"]["digest"]) == 64
    assert kept["inputs"]["rendered"]
    assert [name for name in kept["inputs"]["files"] if name.endswith("suite.yml")]
    assert len(kept["results"]) == len(refused.findings)
    assert kept["blocking"] is True
    assert [item.name for item in path.parent.iterdir()] == ["x.json"]


def test_the_verdict_changes_with_each_of_its_inputs() -> None:
    given = subject()
    digests = {
        verdict(given).digest,
        verdict(subject(on=date(2026, 9, 16))).digest,
        verdict(subject(suite={"users": 401})).digest,
        verdict(subject(ambient={"OS_REGION_NAME": "eu-west-sbg-snc"})).digest,
        verdict(replace(given, register=replace(given.register, digest="0" * 64))).digest,
    }
    assert len(digests) == 5


def test_check_reports_in_every_form_and_ends_with_three(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = str(ROOT / "inventories/example-outscale-refused")
    junit, evidence = tmp_path / "j.xml", tmp_path / "e.json"
    arguments = [
        "check",
        name,
        "--on",
        "2026-09-15",
        "--format",
        "json",
        "--junit",
        str(junit),
        "--evidence",
        str(evidence),
    ]
    assert main(arguments) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["blocking"] is True
    assert document["judged_on"] == "2026-09-15"
    ElementTree.parse(junit)
    assert json.loads(evidence.read_text())["suite"] == document["suite"]


def test_check_answers_what_if(capsys: pytest.CaptureFixture[str]) -> None:
    name = str(ROOT / "inventories/example-outscale-accepted")
    assert main(["check", name, "--on", "2026-11-30"]) == 0
    assert main(["check", name, "--on", "2026-12-01"]) == 3
    assert "[QUA-002 mandatory" in capsys.readouterr().out
    assert main(["check", name, "--on", "soon"]) == 2


def test_every_mandatory_failure_has_a_next_step() -> None:
    for rule in ruleset.load().rules:
        assert rule.metadata.remediation.strip(), rule.id
    found = verdict(subject(suite={"ssh": None}))
    assert find(found, "NET-001").remediation in render(found)


def test_an_image_that_is_not_pinned_is_said_once_with_the_command_to_type(tmp_path: Path) -> None:
    found = judge(replace(deployment("example-openstack-accepted"), images_lock=tmp_path / "none.yml", given="'my o'"))
    failing = [item for item in found.findings if item.rule == "IMG-002" and item.status is Status.FAIL]
    images = {item.target for item in failing}
    assert failing and len(failing) == len(images), "each image once"
    said = render(found)
    assert said.count("`suite-deploy images lock 'my o'`") == len(images)
    assert "suite-deploy policy explain IMG-002]" in said
    assert all("NAME" not in item["remediation"] for item in json.loads(render(found, "json"))["findings"])
    assert "my o" not in json.dumps(found.evidence), "what was typed is no part of what was judged"


def test_a_report_names_where_a_forks_rules_are_explained_too() -> None:
    found = judge(deployment("example-outscale-refused"))
    forked = replace(found, evidence={**found.evidence, "rules": {**found.evidence["rules"], "forks": ["x"]}})
    assert f"suite-deploy policy explain REG-001 --inventory {found.inventory}]" in render(forked)
