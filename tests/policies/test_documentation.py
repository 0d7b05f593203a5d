# SPDX-License-Identifier: MIT
"""docs/policies is what the metadata says, for every rule, with references that look like references."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from suite_deploy.main import main
from suite_deploy.policy import profiles, ruleset
from suite_deploy.policy.docs import pages, stale
from tests.checkout import ROOT

FOLDER = ROOT / "docs" / "policies"
URN = re.compile(r"urn:intuitem:risk:(framework:secnumcloud-3\.2|req_node:secnumcloud-3\.2:\d+(\.\d+)*(\.[a-z])?)")


def test_the_pages_are_up_to_date() -> None:
    assert stale(FOLDER) == [], "suite-deploy policy docs docs/policies"


def test_every_rule_has_a_page_and_every_page_a_rule() -> None:
    written = {path.stem for path in FOLDER.glob("*-[0-9]*.md")}
    assert written == {rule.id for rule in ruleset.load().rules}


def test_the_index_names_every_profile_and_says_which_is_provisional() -> None:
    text = (FOLDER / "README.md").read_text()
    for name in profiles.names():
        assert f"### {name}: " in text
    assert "Provisional" in text


@pytest.mark.parametrize("rule", ruleset.load().rules, ids=lambda rule: rule.id)
def test_a_rule_is_explained(rule: ruleset.Rule) -> None:
    metadata = rule.metadata
    assert metadata.references, "names no requirement it serves"
    assert len(metadata.why) > 60
    assert metadata.title[0].isupper() and not metadata.title.endswith(".")
    for item in metadata.references:
        assert item.urn is None or URN.fullmatch(item.urn), item.urn
    for clause in metadata.clauses.values():
        assert clause.holds[0].isupper() or clause.holds.startswith("`")
        assert clause.holds.endswith(".")


def test_a_page_is_missed_when_it_is_stale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "docs", str(tmp_path)]) == 0
    assert main(["policy", "docs", str(tmp_path), "--check"]) == 0
    page = tmp_path / "REG-001.md"
    page.write_text(page.read_text() + "more\n")
    assert main(["policy", "docs", str(tmp_path), "--check"]) == 3
    assert "REG-001.md" in capsys.readouterr().err
    assert set(pages()) == {path.name for path in tmp_path.iterdir()}


def test_the_report_is_documented_key_by_key() -> None:
    import json

    schema = json.loads((ROOT / "docs/reference/policy-report.schema.json").read_text())
    text = (ROOT / "docs/reference/policy-report.md").read_text()
    finding = schema["properties"]["findings"]["items"]["properties"]
    for key in (*schema["properties"], *finding):
        assert f"`{key}`" in text, key
