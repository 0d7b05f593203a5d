# SPDX-License-Identifier: MIT
"""Running rules. A rule that raises is an error, and so is one that evaluated nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from .findings import Blocks, Finding, Level, Outcome, Status
from .resource import Resource
from .rule import Clause, Rule
from .ruleset import RuleSet
from .subject import Subject

ORDER = {Status.ERROR: 0, Status.FAIL: 1, Status.WAIVED: 2, Status.PASS: 3, Status.NOT_APPLICABLE: 4}


def judge_subject(subject: Subject, ruleset: RuleSet, *, of_the_run: bool = False) -> list[Finding]:
    """Findings of every clause on the deployment. of_the_run: those about waivers and evidence, else all others."""
    found: list[Finding] = []
    for rule in ruleset.rules:
        for clause in rule.clauses:
            if clause.on_resources or clause.of_the_run != of_the_run:
                continue
            level = ruleset.level(rule, clause.name, subject.profile.name)
            if level is not Level.OFF:
                found += [_finding(rule, clause.name, level, item, subject) for item in run_clause(clause, subject)]
    return found


def judge_resources(resources: Sequence[Resource], subject: Subject, ruleset: RuleSet) -> list[Finding]:
    """Findings of every clause on resources: one per failure, one `pass` per clause for all the rest together."""
    clauses = [
        (rule, clause, level)
        for rule in ruleset.rules
        for clause in rule.clauses
        if clause.on_resources and (level := ruleset.level(rule, clause.name, subject.profile.name)) is not Level.OFF
    ]
    by_type: dict[str, list[int]] = {}
    judged: dict[int, int] = defaultdict(int)
    found: list[Finding] = []
    for resource in resources:
        kind = resource.type
        wanted = by_type.get(kind)
        if wanted is None:
            wanted = by_type[kind] = [
                index for index, (_, clause, _) in enumerate(clauses) if applies(clause.types or (), kind)
            ]
        for index in wanted:
            judged[index] += 1
            outcome = judge_one(clauses[index][1], resource, subject)
            if outcome is not None:
                rule, clause, level = clauses[index]
                found.append(_finding(rule, clause.name, level, outcome, subject))
    for index, (rule, clause, level) in enumerate(clauses):
        failures = sum(1 for item in found if item.rule == rule.id and item.clause == clause.name)
        if not judged[index]:
            outcome = Outcome(Status.NOT_APPLICABLE, "resources", "no resource of the types this judges")
        elif judged[index] > failures:
            outcome = Outcome(Status.PASS, "resources", f"{judged[index] - failures} resources")
        else:
            continue
        found.append(_finding(rule, clause.name, level, outcome, subject))
    return found


def judge_one(clause: Clause, resource: Resource, subject: Subject) -> Outcome | None:
    """None when the clause holds for the resource; an exception inside it is an error, never a pass."""
    try:
        answer = clause.check(resource, subject)
    except Exception as error:
        return Outcome(Status.ERROR, resource.urn, f"the rule raised {type(error).__name__}: {error}")
    if answer is None:
        return None
    if isinstance(answer, Outcome):
        return answer
    text, *details = (answer,) if isinstance(answer, str) else answer
    return Outcome(Status.FAIL, resource.urn, text, tuple(details))


def applies(types: Iterable[str], kind: str) -> bool:
    """Whether a clause's types cover a resource type: exact, prefix ending in `:`, or `*`."""
    return any(item == "*" or item == kind or (item.endswith(":") and kind.startswith(item)) for item in types)


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Report order: worst first, then by level, rule and target."""
    return tuple(
        sorted(findings, key=lambda item: (ORDER[item.status], -item.level.rank, item.rule, item.clause, item.target))
    )


def run_clause(clause: Clause, subject: Subject) -> Iterator[Outcome]:
    """Everything one clause says of a deployment; an exception or silence is an error."""
    outcomes: list[Outcome] = []
    try:
        for item in clause.check(subject):
            outcomes.append(item)
    except Exception as error:
        yield Outcome(Status.ERROR, "rule", f"the rule raised {type(error).__name__}: {error}")
        return
    if not outcomes:
        yield Outcome(Status.ERROR, "rule", "the rule evaluated nothing")
    yield from outcomes


def _finding(rule: Rule, clause: str, level: Level, item: Outcome, subject: Subject) -> Finding:
    file, line = item.place or (
        subject.locate(tuple(item.target.split("."))) if item.status is not Status.PASS else ("", 0)
    )
    return Finding(
        rule=rule.id,
        clause=clause,
        status=item.status,
        level=level,
        severity=item.severity or rule.metadata.severity,
        target=item.target,
        message=item.message,
        details=item.details,
        remediation=rule.metadata.remediation.strip() if item.status is not Status.PASS else "",
        blocks=Blocks.ALWAYS if item.status is Status.ERROR else item.blocks,
        file=file,
        line=line,
    )
