# SPDX-License-Identifier: MIT
"""What a run leaves behind to prove what was judged: inputs, register, rules, results, waivers. Unsigned for now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .. import __version__
from ..files import write_whole
from .clock import in_force
from .findings import Finding
from .register import Register
from .ruleset import RuleSet
from .subject import Subject
from .waivers import WaiverUse

SCHEMA = 1


def digest_of(value: Any) -> str:
    """SHA-256 over the canonical JSON of plain data."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def inputs_of(
    subject: Subject, files: Iterable[Path], tree_digest: str, waivers: tuple[WaiverUse, ...]
) -> dict[str, Any]:
    """What was judged: the merged inventory, each file's hash, the rendered tree's digest, ambient settings by name."""
    hashes = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()}
    parts: dict[str, Any] = {
        "inventory": digest_of(subject.document),
        "files": hashes,
        "rendered": tree_digest,
        "ambient": dict(subject.ambient),
        "waivers": digest_of(
            [item.waiver.model_dump(mode="json") if item.waiver else item.problems for item in waivers]
        ),
    }
    return {"digest": digest_of({**parts, "files": sorted(hashes.values())}), **parts}


def register_facts(register: Register, subject: Subject) -> dict[str, Any]:
    """Which register the verdict stands on."""
    return {
        "title": register.data.title,
        "as_of": register.as_of.isoformat(),
        "checked_on": register.data.checked_on.isoformat(),
        "age_days": register.age(subject.on),
        "digest": register.digest,
        "origin": register.origin,
    }


def hosting(subject: Subject) -> list[str]:
    """What may be said of the hosting: of the service underneath, never of the suite."""
    said = []
    for label in dict.fromkeys((*subject.profile.labels, "secnumcloud")):
        row = subject.decision(label)
        linked = subject.region_row is not None and subject.region_row.offer == subject.offer
        if not row or row.status != "qualified" or not linked or not in_force(row.since, row.until, subject.on):
            continue
        kind = "ANSSI-qualified" if label == "secnumcloud" else "HDS-certified"
        text = (
            f"hosted on {kind} service {row.title} ({row.offer}, {subject.region}), decision {row.decision}, "
            f"valid until {row.until}, per the catalogue of {subject.register.as_of}"
        )
        if subject.region_row and subject.region_row.delivered:
            text += "; the sign-in host is declared by the operator, not verified"
        if row.confidence.decision not in ("A", "B"):
            text += f"; decision number of confidence {row.confidence.decision}"
        said.append(text)
    return said


def rules_facts(ruleset: RuleSet) -> dict[str, Any]:
    """Which rules judged."""
    return {
        "version": __version__,
        "digest": ruleset.digest,
        "count": len(ruleset.rules),
        "forks": list(ruleset.forks),
        "raised_levels": {rule: level.value for rule, level in ruleset.settings.levels.items()},
        "further_hosts": ruleset.settings.allow.model_dump(mode="json", exclude_defaults=True),
        "further_hosts_because": ruleset.settings.because,
    }


def finding_facts(finding: Finding) -> dict[str, Any]:
    """One finding as plain data; the documented shape of JSON reports."""
    return {
        "rule": finding.rule,
        "clause": finding.clause,
        "status": finding.status.value,
        "level": finding.level.value,
        "severity": finding.severity,
        "blocking": finding.is_blocking,
        "blocks": finding.blocks.value,
        "target": finding.target,
        "message": finding.message,
        "details": list(finding.details),
        "remediation": finding.remediation,
        "file": finding.file,
        "line": finding.line,
        "documentation": finding.documentation,
        "waiver": dict(finding.waiver) if finding.waiver else None,
    }


def bundle(
    subject: Subject,
    ruleset: RuleSet,
    inputs: Mapping[str, Any],
    findings: Iterable[Finding],
    waivers: tuple[WaiverUse, ...],
) -> dict[str, Any]:
    """The evidence of one run. Deterministic: the same inputs on the same day give the same bytes."""
    results = [finding_facts(finding) for finding in findings]
    return {
        "schema": SCHEMA,
        "kind": "suite-deploy policy evidence",
        "signed": False,
        "suite": subject.name,
        "profile": subject.profile.name,
        "provisional": subject.profile.provisional,
        "judged_on": subject.on.isoformat(),
        "inputs": dict(inputs),
        "register": register_facts(subject.register, subject),
        "rules": rules_facts(ruleset),
        "hosting": hosting(subject),
        "confidence": subject.confidence,
        "operator_evidence": dict(subject.evidence),
        "blocking": any(item["blocking"] for item in results),
        "results": results,
        "waivers": [
            {
                "name": item.name,
                "used": item.used,
                "problems": list(item.problems),
                **(item.waiver.model_dump(mode="json", exclude_none=True) if item.waiver else {}),
            }
            for item in waivers
        ],
    }


def write(evidence: Mapping[str, Any], path: Path) -> None:
    """Write the evidence as JSON, all or nothing. Raises OSError."""
    write_whole(path, json.dumps(evidence, indent=2, ensure_ascii=False, sort_keys=True) + "\n", 0o644)
