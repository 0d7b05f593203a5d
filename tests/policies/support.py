# SPDX-License-Identifier: MIT
"""Subjects, verdicts and whole deployments for tests, with the clock frozen at the register's own day."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from suite_deploy.model.deployment import Deployment
from suite_deploy.model.inventory import read_inventory
from suite_deploy.model.loader import resolve
from suite_deploy.policy import profiles, ruleset
from suite_deploy.policy.cases import component_of, load_base, overlay
from suite_deploy.policy.findings import Finding, Outcome, Status, Verdict
from suite_deploy.policy.judging import judge_deployment, verdict_of
from suite_deploy.policy.register import Register, builtin
from suite_deploy.policy.resource import Resource
from suite_deploy.policy.rule import Clause, Rule
from suite_deploy.policy.ruleset import RuleSet
from suite_deploy.policy.subject import Subject
from suite_deploy.policy.waivers import WaiverUse
from suite_deploy.render.render import render
from suite_deploy.render.tree import RenderedTree
from tests.checkout import ROOT

REGISTER_DAY = builtin().as_of
EXAMPLES = sorted(path.parent.name for path in (ROOT / "inventories").glob("*/suite.yml"))


def subject(
    base: str = "snc",
    *,
    suite: Mapping[str, Any] | None = None,
    on: date = REGISTER_DAY,
    ambient: Mapping[str, str] | None = None,
    register: Register | None = None,
) -> Subject:
    """An accepted subject with a few lines changed, as cases make it."""
    data = load_base(base)
    document = overlay(data["suite"], suite or {})
    return Subject(
        name=str(document["suite"]),
        document=document,
        register=register or builtin(),
        profile=profiles.load(str(document["profile"])),
        on=on,
        components=tuple(component_of(slug, item) for slug, item in data["components"].items()),
        ambient=ambient or {},
        public_names=(str(document["domain"]),),
    )


def verdict(given: Subject, waivers: tuple[WaiverUse, ...] = ()) -> Verdict:
    """The verdict of our own rules."""
    return verdict_of(given, ruleset.load(), waivers)


def failing(given: Verdict, *, blocking: bool = False) -> set[str]:
    """Ids of rules that fail, or that block."""
    return {item.rule for item in given.findings if item.status is Status.FAIL and (item.is_blocking or not blocking)}


def with_status(given: Verdict, status: Status) -> tuple[Finding, ...]:
    """Findings of one status, in report order."""
    return tuple(finding for finding in given.findings if finding.status is status)


def find(given: Verdict, rule: str, target: str | None = None) -> Finding:
    """The first finding of a rule that is no pass."""
    return next(
        item
        for item in given.findings
        if item.rule == rule and item.status is not Status.PASS and target in (None, item.target)
    )


def deployment(name: str, **changes: Any) -> Deployment:
    """A shipped inventory, with dotted keys changed: `deployment("demo", **{"infrastructure.region": "x"})`."""
    inventory = read_inventory(str(ROOT / "inventories" / name))
    for key, value in changes.items():
        *parents, last = key.split(".")
        place: dict[str, Any] = inventory.data
        for part in parents:
            place = place[part]
        place[last] = value
    return resolve(inventory)


def judge(
    given: Deployment,
    tree: RenderedTree | None = None,
    *,
    on: date = REGISTER_DAY,
    ambient: Mapping[str, str] | None = None,
) -> Verdict:
    """Judge a deployment on the register's day, whatever today is and whatever the environment says."""
    return judge_deployment(given, tree or render(given), on=on, ambient=ambient or {})


def with_file(tree: RenderedTree, path: str, content: str) -> RenderedTree:
    """The tree with one file's text replaced."""
    files = tuple(replace(item, content=content) if item.path == path else item for item in tree.files)
    assert files != tree.files, f"no rendered file {path} was changed"
    return replace(tree, files=files)


def copy_inventory(name: str, to: Path) -> Path:
    """A shipped inventory's folder in a place where a test may change it."""
    import shutil

    return Path(shutil.copytree(ROOT / "inventories" / name, to / "inventories" / name))


def judge_with(given: Deployment, resources: tuple[Resource, ...], *, on: date = REGISTER_DAY) -> Verdict:
    """Judge a deployment together with what exists of it."""
    return judge_deployment(given, render(given), on=on, ambient={}, resources=resources)


def one_rule(check: Callable[..., object], types: tuple[str, ...] | None = None) -> RuleSet:
    """A rule set of one rule whose only clause is `check`."""
    real = ruleset.load().by_id["NET-001"]
    first = next(iter(real.metadata.clauses))
    metadata = real.metadata.model_copy(update={"clauses": {first: real.metadata.clauses[first]}})
    return RuleSet((Rule(metadata, (Clause(first, check, types),), "here", False, "x"),), digest="x")


def raises(*_: object) -> Iterator[Outcome]:
    """A clause that cannot judge."""
    raise KeyError("field")
