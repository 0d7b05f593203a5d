# SPDX-License-Identifier: MIT
"""The judgement of a deployment, from its parts to a verdict. Reads files; starts nothing, opens no socket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..model.inventory import shown
from . import profiles, ruleset, waivers
from .adapter import subject_of
from .clock import day_of
from .engine import judge_resources, judge_subject, ordered
from .evidence import bundle, digest_of, inputs_of, register_facts
from .findings import Finding, Level, Status, Verdict
from .register import Register, builtin, supplied
from .resource import Resource
from .ruleset import RuleSet
from .subject import RunFacts, Subject
from .waivers import WaiverUse

if TYPE_CHECKING:
    from ..model.deployment import Deployment
    from ..render.tree import RenderedTree


def judge_deployment(
    deployment: Deployment,
    rendered_tree: RenderedTree | None,
    *,
    on: date | str | None = None,
    ambient: Mapping[str, str],
    resources: Sequence[Resource] | None = None,
) -> Verdict:
    """Judge by the inventory's profile. on: the day, today in Europe/Paris when absent. ambient: collect_ambient().

    resources: single resources to judge as well (exported state). Raises InvalidInput for a register, a fork's
    rules or a waivers file that cannot be used.
    """
    day = day_of(on)
    rules = ruleset.load(deployment.directory, profile=deployment.suite.profile)
    profile = profiles.extended(profiles.load(deployment.suite.profile), rules.settings)
    subject = subject_of(
        deployment, rendered_tree, register=register_of(deployment), profile=profile, on=day, ambient=ambient
    )
    entries = waivers.read(deployment.waivers_file, shown(deployment.waivers_file))
    files = [*deployment.files, deployment.waivers_file, deployment.images_lock]
    return verdict_of(
        subject,
        rules,
        entries,
        tree_digest=rendered_tree.digest if rendered_tree else "",
        files=files,
        resources=resources,
        inventory=deployment.given,
    )


def register_of(deployment: Deployment) -> Register:
    """The built-in register, or the newer one that the inventory supplies."""
    wanted = deployment.suite.register_
    if wanted.file is None or wanted.sha256 is None:
        return builtin()
    place = deployment.place("register", "file")
    return supplied(deployment.directory / wanted.file, wanted.sha256, shown=place.file, line=place.line)


def verdict_of(
    subject: Subject,
    rules: RuleSet,
    entries: tuple[WaiverUse, ...] = (),
    *,
    tree_digest: str = "",
    files: Iterable[Path] = (),
    resources: Sequence[Resource] | None = None,
    inventory: str = "NAME",
) -> Verdict:
    """Run every rule, apply waivers, then judge the run itself. inventory: as the operator named it."""
    found = judge_subject(subject, rules)
    if resources is not None:
        found += judge_resources(resources, subject, rules)
    name = subject.profile.name
    special = frozenset(rule.id for rule in rules.rules if name in rule.metadata.derogation_only)
    found, used = waivers.apply(found, entries, subject.on, special)
    inputs = inputs_of(subject, files, tree_digest, used)
    so_far = bundle(subject, rules, inputs, found, used)
    run = replace(subject, run=RunFacts(used, so_far, special))
    found += judge_subject(run, rules, of_the_run=True)
    findings = _never_silent(ordered(found))
    evidence = bundle(subject, rules, inputs, findings, used)
    return Verdict(
        suite=subject.name,
        profile=name,
        on=subject.on,
        findings=findings,
        digest=digest_of(
            {key: value for key, value in evidence.items() if key != "inputs"} | {"inputs": inputs["digest"]}
        ),
        register=register_facts(subject.register, subject),
        evidence=evidence,
        infrastructure_digest=digest_of(_infrastructure(subject)),
        inventory=inventory,
        notes=tuple(_notes(subject)),
    )


def _never_silent(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """A run in which nothing was evaluated has failed, whatever the reason."""
    if any(item.status is not Status.NOT_APPLICABLE for item in findings):
        return findings
    empty = Finding(
        "RUN-000", "evaluated", Status.ERROR, Level.MANDATORY, "critical", "run", "no rule evaluated anything"
    )
    return (empty, *findings)


def _infrastructure(subject: Subject) -> dict[str, Any]:
    """What decides about hosts, networks, volumes and buckets."""
    return {
        **{key: subject.document.get(key) for key in ("infrastructure", "target", "users")},
        "components": sorted(component.slug for component in subject.components),
        "ports": sorted(port for component in subject.components for port in component.public_ports),
    }


def _notes(subject: Subject) -> Iterable[str]:
    if subject.profile.provisional:
        yield f"profile {subject.profile.name}: {subject.profile.provisional.strip()}"
    for label, reference in subject.labels_not_asked:
        who = f"{subject.get('data.entity')} with {subject.get('data.sensitivity')} data"
        yield f"the label {label} is not required of {who} ({reference}); the profile's other rules hold"
