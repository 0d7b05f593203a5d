# SPDX-License-Identifier: MIT
"""An inventory that brings its own, newer register; and one whose register cannot be trusted."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from suite_deploy.errors import InvalidInput
from suite_deploy.main import main
from suite_deploy.model.loader import load
from tests.checkout import ROOT

from .support import copy_inventory, failing, judge


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """The accepted Outscale example with a register of December in which its offer was renewed."""
    folder = copy_inventory("example-outscale-accepted", tmp_path)
    path = folder / "register.yml"
    assert main(["policy", "register", "--export", str(path)]) == 0
    data = yaml.safe_load(path.read_text())
    data |= {"as_of": date(2026, 12, 15), "checked_on": date(2026, 12, 16)}
    old = next(row for row in data["offers"] if row["offer"] == "outscale/iaas-cloud-on-demand")
    data["offers"].append(old | {"since": date(2026, 12, 1), "until": date(2029, 11, 30), "decision": "9999"})
    path.write_text(yaml.safe_dump(data, allow_unicode=True))
    declare(folder)
    return folder


def declare(folder: Path, sha256: str | None = None) -> None:
    digest = sha256 or hashlib.sha256((folder / "register.yml").read_bytes()).hexdigest()
    suite = folder / "suite.yml"
    text = suite.read_text().split("\nregister:")[0].rstrip("\n")
    suite.write_text(f"{text}\nregister: {{file: register.yml, sha256: '{digest}'}}\n")


def test_a_renewal_counts_from_a_newer_register_only(inventory: Path) -> None:
    day = date(2026, 12, 20)
    found = judge(load(str(inventory)), on=day)
    assert not found.blocking
    assert found.register["as_of"] == "2026-12-15"
    assert "decision 9999, valid until 2029-11-30, per the catalogue of 2026-12-15" in found.evidence["hosting"][0]
    suite = inventory / "suite.yml"
    suite.write_text(suite.read_text().split("\nregister:")[0] + "\n")
    assert failing(judge(load(str(inventory)), on=day), blocking=True) == {"QUA-002"}


def test_another_hash_is_refused_at_its_line(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    declare(inventory, "0" * 64)
    assert main(["check", str(inventory)]) == 2
    said = capsys.readouterr().err
    assert "register.file" in said
    assert "one of the two is wrong" in said
    assert "suite.yml:" in said


def test_a_changed_register_is_refused(inventory: Path) -> None:
    path = inventory / "register.yml"
    path.write_text(path.read_text().replace("2029-11-30", "2039-11-30"))
    with pytest.raises(InvalidInput, match="has the SHA-256"):
        judge(load(str(inventory)))


def test_a_register_that_is_gone_is_refused(inventory: Path) -> None:
    (inventory / "register.yml").unlink()
    with pytest.raises(InvalidInput, match="cannot be read"):
        judge(load(str(inventory)))


def test_the_list_shows_the_register_that_counts(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "register", "--inventory", str(inventory), "--on", "2026-12-20"]) == 0
    said = capsys.readouterr().out
    assert "until 2029-11-30  decision 9999" in said
    assert "register of 2026-12-15, 5 days before 2026-12-20" in said


def test_the_schema_of_a_register_is_up_to_date_and_holds_for_an_export(
    inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["policy", "register", "--schema"]) == 0
    printed = capsys.readouterr().out
    kept = (ROOT / "policies/register/register.schema.json").read_text()
    assert kept == printed, "suite-deploy policy register --schema > policies/register/register.schema.json"
    data = json.loads(json.dumps(yaml.safe_load((inventory / "register.yml").read_text()), default=str))
    Draft202012Validator(json.loads(kept)).validate(data)
    data["offers"][0]["status"] = "certified"
    assert not Draft202012Validator(json.loads(kept)).is_valid(data)


def test_an_edited_register_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "register.yml"
    path.write_text("edited\n")
    assert main(["policy", "register", "--export", str(path)]) == 2
    assert path.read_text() == "edited\n"
    assert f"{path}: is there already" in capsys.readouterr().err
