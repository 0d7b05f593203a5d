# SPDX-License-Identifier: MIT
"""A verdict as text for people, as JSON for programs, as JUnit for CI."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .findings_junit import render_junit

if TYPE_CHECKING:
    from ..policy.findings import Finding, Verdict

#: of the JSON report; raised when a key changes its meaning or goes, never when one is added
SCHEMA = 1


def render(verdict: Verdict, format: str = "text") -> str:
    """The report in one of text, json, junit."""
    if format == "json":
        return render_json(verdict)
    if format == "junit":
        return render_junit(verdict)
    return render_text(verdict)


def render_text(verdict: Verdict) -> str:
    """Findings as sentences with place, reason and next step, then a summary; not what passed or did not apply."""
    from ..policy.findings import Status

    shown = [item for item in verdict.findings if item.status not in (Status.PASS, Status.NOT_APPLICABLE)]
    parts = [_paragraph(item, verdict) for item in shown]
    parts.append("\n".join(_summary(verdict)))
    return "\n\n".join(parts) + "\n"


def render_json(verdict: Verdict) -> str:
    """The documented JSON shape; see docs/reference/policy-report.md."""
    from ..policy.evidence import finding_facts

    document: dict[str, Any] = {
        "schema": SCHEMA,
        "suite": verdict.suite,
        "profile": verdict.profile,
        "judged_on": verdict.on.isoformat(),
        "blocking": verdict.blocking,
        "blocking_converge": verdict.blocking_converge,
        "digest": verdict.digest,
        "register": dict(verdict.register),
        "hosting": list(verdict.evidence.get("hosting", ())),
        "notes": list(verdict.notes),
        "counts": verdict.counts,
        "findings": [
            finding_facts(item) | {"remediation": to_type(item.remediation, verdict)} for item in verdict.findings
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def to_type(text: str, verdict: Verdict) -> str:
    """A next step with the inventory in it, where the rule, which knows none, says NAME."""
    return re.sub(r"\bNAME\b", lambda _: verdict.inventory, text)


def _paragraph(item: Finding, verdict: Verdict) -> str:
    from ..policy.findings import Status

    place = f"{item.file}:{item.line}: " if item.file and item.line else f"{item.file}: " if item.file else ""
    lines = [f"{place}{item.target}: {item.message}", *(f"  {line}" for line in item.details)]
    if item.status in (Status.FAIL, Status.ERROR) and item.remediation and not item.details:
        lines.append(f"  {to_type(item.remediation, verdict)}")
    if item.status is Status.WAIVED and item.waiver:
        why = f"{item.waiver['reason']} ({item.waiver['ticket']})"
        lines.append(f"  Waived until {item.waiver['expires']} by {item.waiver['approver']}: {why}")
    level = item.level.value if item.status is Status.FAIL else f"{item.level.value}, {item.status.value}"
    severity = f" ({item.severity})" if item.level.value == "advisory" else ""
    forks = verdict.evidence.get("rules", {}).get("forks", ())
    explain = f"suite-deploy policy explain {item.rule}{f' --inventory {verdict.inventory}' if forks else ''}"
    lines.append(f"  [{item.rule} {level}{severity} · register of {verdict.register['as_of']} · {explain}]")
    return "\n".join(lines)


def _summary(verdict: Verdict) -> Iterator[str]:
    counts = verdict.counts
    advisory = sum(1 for item in verdict.findings if item.status.value == "fail" and not item.is_blocking)
    for note in verdict.notes:
        yield f"note: {note}"
    yield from verdict.evidence.get("hosting", ())
    register = f"the register of {verdict.register['as_of']} ({verdict.register['age_days']} days old)"
    yield f"{verdict.suite}: profile {verdict.profile}, judged on {verdict.on} with {register}"
    yield (
        f"{counts['pass']} passed, {counts['fail'] - advisory} failed, {advisory} warnings, {counts['error']} errors, "
        f"{counts['waived']} waived, {counts['not_applicable']} not applicable"
    )
    yield "refused: nothing may be created" if verdict.blocking else "accepted"
