# SPDX-License-Identifier: MIT
"""Cases of a rule: a few offending lines over an accepted base, and the sentence that must be said.

A case is a file `cases/<refuse|accept|absent>-<name>.yml`:

    clause: region_linked
    base: outscale                      # a file of policies/bases; `snc` when absent
    day: 2026-12-01                     # the register's own day when absent
    suite: {infrastructure: {region: eu-west-2}}     # overlays the base; null removes
    derived_hosts: {suite-1: {volumes: {chat: 10GiB}}}  # with `hosts: null` in the base: what `users` leads to
    components: {chat: {env: {server: {URL: "https://x.example"}}}}
    ambient: {OS_REGION_NAME: RegionOne}
    resource: {type: "…", props: {…}, provider: {…}}  # for clauses on resources; "<unknown>" is a value not known yet
    waivers: [{…}]                      # for rules that judge the run
    status: not_applicable              # only of absent cases; refuse means fail, accept means pass
    target: infrastructure.region       # when it matters which
    message: is not covered             # part of the sentence
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from ..model.strict import Strict
from ..paths import resource_root
from . import profiles
from .engine import applies, judge_one, run_clause
from .findings import Outcome, Status
from .judging import verdict_of
from .register import builtin
from .resource import UNKNOWN, Resource
from .rule import Clause, Rule
from .ruleset import RuleSet
from .subject import ComponentView, ImageUse, LeakKey, RunFacts, Subject
from .waivers import from_entry
from .yamldata import parse

KINDS = {"refuse": Status.FAIL, "accept": Status.PASS, "absent": None}


class CaseFile(Strict):
    """A case as written."""

    clause: str
    base: str = "snc"
    day: date | None = None
    suite: dict[str, Any] = {}
    components: dict[str, Any] = {}
    derived_hosts: dict[str, dict[str, Any]] = {}
    shared_files: dict[str, str] = {}
    ambient: dict[str, str] = {}
    resource: dict[str, Any] | None = None
    waivers: tuple[dict[str, Any], ...] | None = None
    evidence: dict[str, Any] | None = None
    status: Literal["pass", "fail", "not_applicable", "error"] | None = None
    target: str | None = None
    message: str = ""


@dataclass(frozen=True)
class Case:
    """A case with its rule; `wanted` is the status that must come out."""

    rule: Rule
    name: str
    kind: str
    content: CaseFile

    @property
    def wanted(self) -> Status:
        """The status that some outcome must have."""
        return Status(self.content.status) if self.content.status else KINDS[self.kind] or Status.FAIL

    @property
    def clause(self) -> Clause:
        """The clause it is about. Raises KeyError when the rule has none of that name."""
        return {item.name: item for item in self.rule.clauses}[self.content.clause]


def cases_of(rule: Rule) -> Iterator[Case]:
    """The cases beside a rule. Raises ValueError for a file that is none."""
    for path in sorted((Path(rule.origin) / "cases").glob("*.yml")):
        kind = path.stem.partition("-")[0]
        if kind not in KINDS:
            raise ValueError(f"{path}: a case's name starts with refuse-, accept- or absent-")
        yield Case(rule, path.stem, kind, CaseFile.model_validate(parse(path.read_bytes())))


def problems_of(case: Case, rules: RuleSet) -> list[str]:
    """What is not as the case says; empty when it holds."""
    outcomes = list(run(case, rules))
    wanted, found = case.wanted, []
    bad = [item for item in outcomes if item.status in (Status.FAIL, Status.ERROR)]
    if wanted is Status.PASS and bad:
        found.append(f"refused: {bad[0].target}: {bad[0].message}")
    matching = [item for item in outcomes if item.status is wanted]
    if case.content.target:
        matching = [item for item in matching if item.target == case.content.target]
    if case.content.message:
        matching = [item for item in matching if case.content.message in "\n".join((item.message, *item.details))]
    if not matching:
        said = "; ".join(f"{item.status} {item.target}: {item.message} {' '.join(item.details)}" for item in outcomes)
        where = case.content.target or "any target"
        found.append(f"no {wanted} at {where} saying {case.content.message!r}; got: {said or 'nothing'}")
    return found


def run(case: Case, rules: RuleSet) -> Iterator[Outcome]:
    """What the case's clause says, nothing else of the rule."""
    clause, subject = case.clause, subject_of(case)
    if clause.on_resources:
        given = case.content.resource or {}
        resource = Resource(
            type=given["type"],
            urn=f"urn:pulumi:case::suite::{given['type']}::thing",
            props=_unknowns(given.get("props", {})),
            provider=_unknowns(given.get("provider", {})),
        )
        if not applies(clause.types or (), resource.type):
            yield Outcome(Status.NOT_APPLICABLE, resource.urn, "not a type this judges")
            return
        outcome = judge_one(clause, resource, subject)
        yield outcome or Outcome(Status.PASS, resource.urn)
    elif clause.of_the_run:
        entries = tuple(from_entry(dict(item), index) for index, item in enumerate(case.content.waivers or ()))
        if case.content.evidence is not None:
            yield from run_clause(clause, replace(subject, run=RunFacts(evidence=case.content.evidence)))
            return
        verdict = verdict_of(subject, rules, entries)
        for item in verdict.findings:
            if (item.rule, item.clause) == (case.rule.id, clause.name):
                yield Outcome(item.status, item.target, item.message, item.details)
    else:
        yield from run_clause(clause, subject)


def subject_of(case: Case) -> Subject:
    """The subject that the base and the case's lines make."""
    content = case.content
    base = load_base(content.base)
    document = overlay(base["suite"], content.suite)
    register = builtin()
    components = overlay(base.get("components", {}), content.components)
    return Subject(
        name=str(document["suite"]),
        document=document,
        register=register,
        profile=profiles.load(str(document["profile"])),
        on=content.day or register.as_of,
        components=tuple(component_of(slug, item) for slug, item in components.items()),
        shared_files=content.shared_files,
        ambient=content.ambient,
        public_names=(str(document["domain"]),),
        derived_hosts=content.derived_hosts,
    )


@lru_cache(maxsize=16)
def load_base(name: str) -> dict[str, Any]:
    """A base with what it is like. Raises FileNotFoundError."""
    data: dict[str, Any] = parse((resource_root() / "policies" / "bases" / f"{name}.yml").read_bytes())
    like = data.pop("like", None)
    return overlay(load_base(like), data) if like else data


def overlay(base: Mapping[str, Any], lines: Mapping[str, Any]) -> dict[str, Any]:
    """Maps merge, lists replace, null removes: as `extends` does."""
    result = dict(base)
    for key, value in lines.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = overlay(result[key], value)
        else:
            result[key] = value
    return result


def component_of(slug: str, given: Mapping[str, Any]) -> ComponentView:
    """A component as a case writes it."""
    fields = {key: value for key, value in given.items() if key not in ("leaks", "images")}
    for key in ("provides", "egress", "host_network", "public_ports", "declared_hosts"):
        if key in fields:
            fields[key] = tuple(fields[key])
    return ComponentView(
        slug=slug,
        leaks=tuple(LeakKey(**item) for item in given.get("leaks", ())),
        images=tuple(ImageUse(**item) for item in given.get("images", ())),
        **fields,
    )


def _unknowns(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _unknowns(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unknowns(item) for item in value]
    return UNKNOWN if value == "<unknown>" else value
