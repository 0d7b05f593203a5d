# SPDX-License-Identifier: MIT
"""A regional administration adds rules and raises levels beside its own inventories, and lowers nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite_deploy.errors import InvalidInput
from suite_deploy.main import main
from suite_deploy.model.loader import load
from suite_deploy.policy import ruleset

from .support import copy_inventory, failing, find, judge

METADATA = """
id: REGX-001
title: The mail address is the region's
severity: medium
judges: [inventory]
why: People reply to it.
remediation: Use an address of region-x.example.
levels: {fr-snc: mandatory, fr-hds: advisory, eu-strict: advisory, eu: advisory, dev: advisory}
clauses:
  sender: The sender is at region-x.example.
"""
CHECK = """
from suite_deploy.policy.rule import Subject, clause, failed, not_applicable, passed


@clause("sender")
def sender(subject: Subject):
    address = subject.get("mail.from")
    if address is None:
        yield not_applicable("mail", "no mail")
    elif address.endswith("@region-x.example"):
        yield passed("mail.from")
    else:
        yield failed("mail.from", f"{address} is not the region's.")
"""


def add_rule(folder: Path, *, metadata: str = METADATA, check: str = CHECK) -> Path:
    rule = folder / "policies" / "regx_001_sender"
    (rule / "cases").mkdir(parents=True)
    (rule / "metadata.yml").write_text(metadata)
    (rule / "check.py").write_text(check)
    return rule


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    return copy_inventory("example-openstack-accepted", tmp_path)


@pytest.mark.parametrize("place", ["beside inventories/", "beside the inventory", "in the inventory"])
def test_rules_beside_the_inventories_judge_too(inventory: Path, place: str) -> None:
    folder = {
        "beside inventories/": inventory.parent.parent,
        "beside the inventory": inventory.parent,
        "in the inventory": inventory,
    }[place]
    add_rule(folder)
    suite = inventory / "suite.yml"
    assert "REGX-001" not in failing(judge(load(str(inventory))))
    suite.write_text(suite.read_text().replace("suite@region-x.example", "suite@elsewhere.example"))
    found = judge(load(str(inventory)))
    assert failing(found, blocking=True) == {"REGX-001"}
    assert find(found, "REGX-001").line > 0
    assert found.evidence["rules"]["forks"]


def test_a_forks_rules_change_the_rule_sets_version(inventory: Path) -> None:
    before = judge(load(str(inventory))).evidence["rules"]["digest"]
    add_rule(inventory)
    assert judge(load(str(inventory))).evidence["rules"]["digest"] != before


def test_an_id_is_never_used_twice(inventory: Path) -> None:
    add_rule(inventory, metadata=METADATA.replace("REGX-001", "REG-001"))
    with pytest.raises(InvalidInput, match="REG-001 is taken"):
        judge(load(str(inventory)))


def test_a_rule_that_does_not_load_stops_the_judgement(inventory: Path) -> None:
    add_rule(inventory, check="import nothing_of_that_name")
    with pytest.raises(InvalidInput, match="cannot be loaded: ModuleNotFoundError"):
        judge(load(str(inventory)))


def settings(inventory: Path, text: str) -> None:
    (inventory / "policies").mkdir(exist_ok=True)
    (inventory / "policies" / "settings.yml").write_text(text)


def test_a_level_can_be_raised(inventory: Path) -> None:
    suite = inventory / "suite.yml"
    suite.write_text(suite.read_text().replace("federation: closed", "federation: open"))
    assert "FED-001" not in failing(judge(load(str(inventory))), blocking=True)
    settings(inventory, "levels: {FED-001: mandatory}")
    found = judge(load(str(inventory)))
    assert "FED-001" in failing(found, blocking=True)
    assert found.evidence["rules"]["raised_levels"] == {"FED-001": "mandatory"}


@pytest.mark.parametrize("level", ["advisory", "off"])
def test_a_level_can_never_be_lowered(inventory: Path, level: str) -> None:
    settings(inventory, f'levels: {{NET-001: "{level}"}}')
    with pytest.raises(InvalidInput, match="A level can be raised here, never lowered; an exception is a waiver"):
        judge(load(str(inventory)))


@pytest.mark.parametrize("text", ["levels: {NOPE-001: mandatory}", "level: {}", "levels: {NET-001: loud}", "levels: ["])
def test_settings_that_make_no_sense_are_refused(inventory: Path, text: str) -> None:
    settings(inventory, text)
    with pytest.raises(InvalidInput):
        judge(load(str(inventory)))


def test_further_hosts_are_allowed_with_the_reason_on_record(inventory: Path) -> None:
    suite = inventory / "suite.yml"
    suite.write_text(suite.read_text().replace("smtp.region-x.example", "smtp.shared-services.example"))
    assert failing(judge(load(str(inventory))), blocking=True) == {"EGR-006"}
    settings(
        inventory, "allow: {mail: [smtp.shared-services.example]}\nbecause: contract 2026-7 with the shared services\n"
    )
    found = judge(load(str(inventory)))
    assert not found.blocking
    assert found.evidence["rules"]["further_hosts"] == {"mail": ["smtp.shared-services.example"]}
    assert "contract 2026-7" in found.evidence["rules"]["further_hosts_because"]


def test_our_own_folder_is_nobodys_fork() -> None:
    assert ruleset.fork_folders(ruleset.directory().parent / "inventories" / "demo") == ()


def test_a_forks_cases_are_run_by_the_command(
    inventory: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rule = add_rule(inventory)
    cases = rule / "cases"
    (cases / "refuse-other.yml").write_text(
        "clause: sender\nsuite: {mail: {from: a@b.example}}\nmessage: is not the region's\n"
    )
    (cases / "accept-own.yml").write_text("clause: sender\n")
    assert main(["policy", "test", str(inventory / "policies")]) == 3
    assert "REGX-001 sender: no case of absent" in capsys.readouterr().out
    (cases / "absent-mail.yml").write_text("clause: sender\nsuite: {mail: null}\nstatus: not_applicable\n")
    assert main(["policy", "test", str(inventory / "policies")]) == 0
    (cases / "refuse-other.yml").write_text("clause: sender\nmessage: is not the region's\n")
    assert main(["policy", "test", str(inventory / "policies")]) == 3


def test_a_forks_rule_is_listed_and_explained(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_rule(inventory)
    assert main(["policy", "list", str(inventory)]) == 0
    assert main(["policy", "explain", "regx-001", "--inventory", str(inventory)]) == 0
    said = capsys.readouterr().out
    assert "REGX-001  The mail address is the region's" in said
    assert "Use an address of region-x.example." in said
    assert main(["policy", "explain", "NOPE-001"]) == 2
