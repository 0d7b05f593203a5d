# SPDX-License-Identifier: MIT
"""What holds for all rules: identities, levels, and that a broken rule never passes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from suite_deploy.errors import InvalidInput
from suite_deploy.policy import profiles, ruleset
from suite_deploy.policy.engine import judge_resources, judge_subject
from suite_deploy.policy.findings import Level, Outcome, Status, passed
from suite_deploy.policy.judging import verdict_of
from suite_deploy.policy.resource import Resource
from suite_deploy.policy.ruleset import RuleSet
from suite_deploy.policy.subject import Subject

from .support import one_rule, raises, subject, verdict, with_status

RULES = ruleset.load()
#: mandatory, advisory, off in the order fr-snc fr-hds eu-strict eu, as decided
LEVELS = """
REG-001 MMMM, REG-002 MMMM, REG-003 MMMM, REG-004 MMMM, REG-005 MMMA, REG-006 MMMA, REG-007 MMMA, REG-008 MMMM,
REG-009 MMMM, QUA-001 AAAA, QUA-002 MMAA, QUA-003 AAAA, QUA-004 MMA-, QUA-005 MMA-, QUA-006 M---, QUA-007 MMMM,
ENC-001 AMAA, NET-001 MMMA, BAK-001 MMMM, STA-001 MMMA, STA-002 MMMA, IMG-001 MMMA, IMG-002 MMAA, IMG-003 AAAA,
EGR-001 MMMA, EGR-002 MMMA, EGR-003 AAAA, EGR-004 AAAA, EGR-005 AAAA, EGR-006 MMMA, EGR-007 MMMA, FED-001 AAAA,
WAI-001 MMMM, WAI-002 M---, EVI-001 MMMA
"""
PROFILES = ("fr-snc", "fr-hds", "eu-strict", "eu")
LETTERS = {"M": Level.MANDATORY, "A": Level.ADVISORY, "-": Level.OFF}


def says_nothing(_: Subject) -> Iterator[Outcome]:
    return iter(())


def passes_then_raises(_: Subject) -> Iterator[Outcome]:
    yield passed("here")
    raise ValueError("half-way")


def test_levels_are_the_decided_ones() -> None:
    wanted = dict(item.split() for item in re.split(r",\s*", LEVELS.strip()))
    found = {
        rule.id: "".join({v: k for k, v in LETTERS.items()}[rule.metadata.levels[name]] for name in PROFILES)
        for rule in RULES.rules
    }
    assert found == wanted


def test_nothing_blocks_in_dev_but_broken_waivers() -> None:
    blocking = [rule.id for rule in RULES.rules if rule.metadata.levels["dev"] is Level.MANDATORY]
    assert blocking == ["WAI-001"]


def test_every_rule_names_a_level_for_every_profile() -> None:
    for rule in RULES.rules:
        assert set(rule.metadata.levels) == set(profiles.names()), rule.id


def test_folders_are_called_like_their_rules() -> None:
    for rule in RULES.rules:
        name = Path(rule.origin).name
        assert re.fullmatch(r"[a-z]{3}_\d{3}_[a-z_]+", name), name
        assert name[:7].upper().replace("_", "-") == rule.id


@pytest.mark.parametrize("check", [raises, says_nothing, passes_then_raises])
def test_a_rule_that_cannot_judge_fails_the_run_in_every_profile(check: Callable[..., object]) -> None:
    for profile in profiles.names():
        found = verdict_of(subject(suite={"profile": profile}), one_rule(check))
        assert with_status(found, Status.ERROR), profile
        assert found.blocking, profile
        assert found.blocking_converge, profile


@pytest.mark.parametrize("check", [raises, says_nothing, passes_then_raises])
def test_one_rule_that_cannot_judge_fails_a_run_of_good_ones(check: Callable[..., object]) -> None:
    (broken,) = one_rule(check).rules
    others = tuple(rule for rule in RULES.rules if rule.id != broken.id)
    found = verdict_of(subject(), RuleSet((*others, broken)))
    assert [item.rule for item in with_status(found, Status.ERROR)] == [broken.id]
    assert found.blocking


def test_a_rule_that_raises_on_a_resource_is_an_error_there() -> None:
    resource = Resource("openstack:networking/network:Network", "urn::net", {})
    found = judge_resources([resource], subject(), one_rule(raises, ("*",)))
    assert [(item.status, item.target, item.is_blocking) for item in found] == [(Status.ERROR, "urn::net", True)]


def test_a_run_that_evaluated_nothing_has_failed() -> None:
    found = verdict_of(subject(), RuleSet(()))
    assert found.blocking
    assert found.findings[0].message == "no rule evaluated anything"


def test_rules_judge_the_same_twice() -> None:
    assert verdict(subject()).digest == verdict(subject()).digest


def test_no_rule_names_a_component() -> None:
    slugs = {path.parent.name for path in (ruleset.directory().parent / "roles").glob("*/component.yml")}
    assert slugs
    for rule in RULES.rules:
        code = (Path(rule.origin) / "check.py").read_text().lower()
        assert not [slug for slug in slugs if re.search(rf"\b{slug}\b", code)], rule.id


def test_clauses_of_code_and_metadata_must_agree(tmp_path: Path) -> None:
    source = Path(RULES.by_id["NET-001"].origin)
    (tmp_path / "metadata.yml").write_text((source / "metadata.yml").read_text().replace("ssh_sources:", "another:"))
    (tmp_path / "check.py").write_text((source / "check.py").read_text())
    with pytest.raises(InvalidInput, match="name different clauses: another, ssh_sources"):
        ruleset.load_rule(tmp_path)


def test_no_byte_code_is_written_beside_rules(tmp_path: Path) -> None:
    source = Path(RULES.by_id["NET-001"].origin)
    for name in ("metadata.yml", "check.py"):
        (tmp_path / name).write_text((source / name).read_text())
    ruleset.load_rule(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["check.py", "metadata.yml"]


def test_a_clause_that_is_off_is_not_run() -> None:
    assert not judge_subject(subject("public"), RuleSet((RULES.by_id["QUA-006"],)))
