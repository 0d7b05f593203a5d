# SPDX-License-Identifier: MIT
"""Every clause of every rule refuses, accepts and notices what is absent."""

from __future__ import annotations

from collections import defaultdict

import pytest

from suite_deploy.policy import ruleset
from suite_deploy.policy.cases import KINDS, Case, cases_of, problems_of

RULES = ruleset.load()
CASES = [case for rule in RULES.rules for case in cases_of(rule)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule.id}-{case.name}")
def test_case_holds(case: Case) -> None:
    problems = problems_of(case, RULES)
    assert not problems, "\n".join(problems)


def test_every_clause_has_all_three_kinds_of_case() -> None:
    kinds: dict[tuple[str, str], set[str]] = defaultdict(set)
    for case in CASES:
        kinds[case.rule.id, case.content.clause].add(case.kind)
    wanted = {(rule.id, clause.name) for rule in RULES.rules for clause in rule.clauses}
    assert set(kinds) == wanted
    missing = {place: sorted(set(KINDS) - found) for place, found in kinds.items() if found != set(KINDS)}
    assert not missing


def test_a_refusal_always_says_which_sentence_it_expects() -> None:
    silent = [f"{case.rule.id} {case.name}" for case in CASES if case.kind == "refuse" and not case.content.message]
    assert not silent
