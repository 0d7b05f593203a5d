# SPDX-License-Identifier: MIT
"""What the generated inventory carries so that the playbook, run by hand, is gated like `up`."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from typing import Any

from .findings import Verdict

#: a verdict is good for the day it was made and the next: a run past midnight ends as it began
DAYS_GOOD = 1


def carried(verdict: Verdict, *, inputs: str, existing: bool = False) -> dict[str, Any]:
    """The variable `suite_verdict` of the generated inventory.

    inputs: digest of the rendered tree, repeated beside it as `suite_inputs`. existing: the infrastructure is there
    and its inputs did not change, so that only what stops converging counts.
    """
    allowed = not (verdict.blocking_converge if existing else verdict.blocking)
    content = {
        "allowed": allowed,
        "inputs": inputs,
        "judged_on": verdict.on.isoformat(),
        "good_until": (verdict.on + timedelta(days=DAYS_GOOD)).isoformat(),
        "profile": verdict.profile,
        "verdict": verdict.digest,
    }
    return {**content, "digest": seal(content)}


def seal(content: dict[str, Any]) -> str:
    """The digest that the playbook recomputes: a verdict edited by hand no longer fits it."""
    lines = [f"{key}={str(content[key]).lower()}" for key in sorted(content) if key != "digest"]
    return hashlib.sha256(";".join(lines).encode()).hexdigest()


def refusal(suite_verdict: object, *, inputs: str, today: date) -> str | None:
    """Why a carried verdict does not allow a run today; None: it does. The playbook asserts the same."""
    if not isinstance(suite_verdict, dict):
        return "absent"
    if suite_verdict.get("digest") != seal(suite_verdict):
        return "altered"
    if suite_verdict.get("allowed") is not True:
        return "failed"
    if suite_verdict.get("inputs") != inputs or str(suite_verdict.get("good_until", "")) < today.isoformat():
        return "stale"
    return None
