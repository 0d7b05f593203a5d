# SPDX-License-Identifier: MIT
"""The rules as policies of the engine: one per clause on resources, and one that carries the inventory's own verdict.

Needs the extra `cloud`. `PolicyPack(...)` itself, which never returns, is called in policies/pack/__main__.py only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyComplianceFramework,
    PolicyPack,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
)
from pulumi_policy.proxy import UnknownValueError

from ..cloud.engine import INVENTORY_KEY, INVENTORY_VARIABLE
from ..errors import SuiteError
from . import profiles, ruleset, waivers
from .adapter import subject_of
from .ambient import collect_ambient
from .clock import paris_day
from .engine import applies, judge_one
from .findings import Finding, Level, Status
from .judging import judge_deployment, register_of
from .resource import UNKNOWN, Resource
from .rule import Clause, Rule
from .subject import Subject
from .waivers import WaiverUse

NAME = "suite-deploy"
_LEVELS = {Level.MANDATORY: EnforcementLevel.MANDATORY, Level.ADVISORY: EnforcementLevel.ADVISORY}
_SEVERITIES = {
    "critical": Severity.CRITICAL,
    "high": Severity.HIGH,
    "medium": Severity.MEDIUM,
    "low": Severity.LOW,
}
#: resources that every update registers: whatever they report stops the update
_ALWAYS_THERE = ("pulumi:pulumi:Stack", "pulumi:providers:openstack", "pulumi:providers:ovh")
Report = Callable[..., None]


@dataclass(frozen=True)
class Judge:
    """What every policy of the pack judges by."""

    subject: Subject
    waivers: tuple[WaiverUse, ...]
    rules: ruleset.RuleSet
    #: blocking findings over the inventory itself, as sentences
    refused: tuple[str, ...]

    def sentence(self, rule: Rule, clause: Clause, resource: Resource) -> str | None:
        """What is wrong with a resource, None when nothing is or a waiver covers it. Raises when the rule raised."""
        outcome = judge_one(clause, resource, self.subject)
        if outcome is None or outcome.status is Status.PASS:
            return None
        if outcome.status is Status.ERROR:
            raise RuntimeError(f"{rule.id} {clause.name}: {outcome.message}")
        level = self.rules.level(rule, clause.name, self.subject.profile.name)
        severity = outcome.severity or rule.metadata.severity
        finding = Finding(rule.id, clause.name, outcome.status, level, severity, outcome.target, outcome.message)
        special = self.subject.profile.name in rule.metadata.derogation_only
        after, _ = waivers.apply(
            [finding], self.waivers, self.subject.on, frozenset((rule.id,)) if special else frozenset()
        )
        if after[0].status is Status.WAIVED:
            return None
        return " ".join((f"{rule.id}: {resource.name}: {outcome.message}", *outcome.details))


def policies(environ: Mapping[str, str] | None = None, home: Path | None = None) -> list[Policy]:
    """The pack's policies for the inventory that the environment or the stack's configuration names.

    Without one, or with one that cannot be judged, a single policy refuses every resource and says why.
    """
    given = os.environ if environ is None else environ
    name = inventory_named(given)
    if name is None:
        return [
            _refuse_all(
                f"no inventory is named: set {INVENTORY_VARIABLE}, or the stack's configuration `{INVENTORY_KEY}`"
            )
        ]
    try:
        return policies_for(judge_for(name, given, home or Path.home()))
    except SuiteError as error:
        return [_refuse_all(f"the inventory {name} cannot be judged: {error}")]


def inventory_named(environ: Mapping[str, str]) -> str | None:
    """The inventory's name from SUITE_DEPLOY_INVENTORY, else from the stack's configuration."""
    if environ.get(INVENTORY_VARIABLE):
        return environ[INVENTORY_VARIABLE]
    try:
        config = json.loads(environ.get("PULUMI_CONFIG") or "{}")
    except ValueError:
        return None
    found = config.get(INVENTORY_KEY) if isinstance(config, Mapping) else None
    return str(found) if found else None


def judge_for(name: str, environ: Mapping[str, str], home: Path) -> Judge:
    """Load and judge an inventory once, for all resources. Raises SuiteError when it cannot be."""
    from ..model.loader import load
    from ..render.render import render

    deployment = load(name)
    ambient = collect_ambient(environ, home, Path.cwd())
    verdict = judge_deployment(deployment, render(deployment), ambient=ambient)
    rules = ruleset.load(deployment.directory, profile=deployment.suite.profile)
    subject = subject_of(
        deployment,
        None,
        register=register_of(deployment),
        profile=profiles.extended(profiles.load(deployment.suite.profile), rules.settings),
        on=paris_day(),
        ambient=ambient,
    )
    refused = tuple(f"{item.rule}: {item.target}: {item.message}" for item in verdict.findings if item.is_blocking)
    entries = waivers.read(deployment.waivers_file, str(deployment.waivers_file))
    return Judge(subject, entries, rules, refused)


def policies_for(judge: Judge) -> list[Policy]:
    """One policy per clause on resources that is not off in the profile, and the inventory's verdict."""
    found: list[Policy] = [_inventory_policy(judge)]
    for rule in judge.rules.rules:
        for clause in rule.clauses:
            level = judge.rules.level(rule, clause.name, judge.subject.profile.name)
            if clause.on_resources and level is not Level.OFF:
                found.append(_policy(judge, rule, clause, level))
    return found


def _policy(judge: Judge, rule: Rule, clause: Clause, level: Level) -> Policy:
    types = clause.types or ()

    def validate(args: ResourceValidationArgs, report: Report) -> None:
        if not applies(types, args.resource_type):
            return
        sentence = judge.sentence(rule, clause, resource_of(args))
        if sentence:
            report(sentence)

    reference = rule.metadata.references[0] if rule.metadata.references else None
    return ResourceValidationPolicy(
        name=f"{rule.id}.{clause.name}",
        description=rule.metadata.clauses[clause.name].holds,
        validate=validate,
        enforcement_level=_LEVELS[level],
        severity=_SEVERITIES[rule.metadata.severity],
        remediation_steps=rule.metadata.remediation.strip(),
        framework=PolicyComplianceFramework(name=reference.framework, reference=reference.urn or reference.requirement)
        if reference
        else None,
    )


def _inventory_policy(judge: Judge) -> Policy:
    def validate(args: ResourceValidationArgs, report: Report) -> None:
        if args.resource_type in _ALWAYS_THERE:
            for sentence in judge.refused:
                report(sentence)

    return ResourceValidationPolicy(
        name="inventory",
        description="The inventory itself is accepted by the policies (`suite-deploy check`).",
        validate=validate,
        enforcement_level=EnforcementLevel.MANDATORY,
    )


def _refuse_all(reason: str) -> Policy:
    def validate(_args: ResourceValidationArgs, report: Report) -> None:
        report(reason)

    return ResourceValidationPolicy(
        name="inventory",
        description="The pack knows which inventory it judges by.",
        validate=validate,
        enforcement_level=EnforcementLevel.MANDATORY,
    )


def resource_of(args: ResourceValidationArgs) -> Resource:
    """The engine's arguments as rules see a resource; reading an unknown value gives UNKNOWN instead of raising.

    The SDK answers an exception for an unknown value with mere advice, so none may escape a rule.
    """
    provider = _plain(args.provider.props) if args.provider else {}
    return Resource(type=args.resource_type, urn=args.urn, props=_plain(args.props), provider=provider)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _read(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_read(value, index) for index in range(len(value))]
    return value


def _read(container: Any, key: Any) -> Any:
    try:
        return _plain(container[key])
    except UnknownValueError:
        return UNKNOWN


def serve() -> None:
    """Serve the engine; returns when it interrupts."""
    PolicyPack(name=NAME, enforcement_level=EnforcementLevel.MANDATORY, policies=policies())
