# SPDX-License-Identifier: MIT
"""The typed form of a rule's `metadata.yml`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ..model.strict import Strict
from .findings import Level

Severity = Literal["critical", "high", "medium", "low"]
ProfileName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]


class ClauseMetadata(Strict):
    """One clause: the good state in a sentence, and levels where they differ from the rule's."""

    holds: str
    levels: dict[ProfileName, Level] = {}


class Reference(Strict):
    """A requirement elsewhere that this rule serves; ids only, the texts belong to their publishers."""

    framework: str
    requirement: str
    urn: str | None = None


def _spelled_out(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: {"holds": item} if isinstance(item, str) else item for name, item in value.items()}


class Metadata(Strict):
    """`metadata.yml` as written."""

    id: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{1,15}-\d{3}$")]
    title: str
    severity: Severity
    #: what the rule looks at, shown in the documentation
    judges: tuple[Literal["inventory", "environment", "rendered", "resources", "run"], ...] = Field(min_length=1)
    why: str
    remediation: str
    levels: dict[ProfileName, Level]
    clauses: Annotated[dict[str, ClauseMetadata], BeforeValidator(_spelled_out)] = Field(min_length=1)
    references: tuple[Reference, ...] = ()
    #: profiles in which a waiver needs the State's derogation record
    derogation_only: tuple[ProfileName, ...] = ()
