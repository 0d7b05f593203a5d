# SPDX-License-Identifier: MIT
"""Running every case of a folder of rules, and asking that each clause has its three kinds."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from .cases import KINDS, cases_of, problems_of
from .ruleset import METADATA, RuleSet, load, load_rule


def run_folder(folder: Path) -> tuple[int, list[str]]:
    """(number of cases, what does not hold) of the rules below a folder. Raises InvalidInput for a broken rule."""
    count, problems = 0, []
    ours = load()
    for path in sorted(folder.glob(f"*/{METADATA}")):
        rule = load_rule(path.parent)
        known = {item.id: item for item in ours.rules} | {rule.id: rule}
        rules = RuleSet(tuple(known[key] for key in sorted(known)), digest=ours.digest)
        kinds = defaultdict(set)
        for case in cases_of(rule):
            count += 1
            if case.content.clause not in rule.metadata.clauses:
                problems.append(f"{rule.id} {case.name}: the rule has no clause {case.content.clause!r}")
                continue
            kinds[case.content.clause].add(case.kind)
            problems += [f"{rule.id} {case.name}: {problem}" for problem in problems_of(case, rules)]
        for clause in rule.metadata.clauses:
            missing = sorted(set(KINDS) - kinds[clause])
            if missing:
                problems.append(f"{rule.id} {clause}: no case of {', '.join(missing)}")
    return count, problems
