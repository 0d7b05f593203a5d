# SPDX-License-Identifier: MIT
"""What a rule is made of: clauses on the deployment, clauses on single resources, and metadata.

A rule folder holds `metadata.yml`, `check.py` and `cases/`. `check.py` imports from here only, so that a fork's
rules are written like the built-in ones:

    from suite_deploy.policy.rule import Subject, clause, failed, passed

    @clause("relay_named")
    def relay_named(subject: Subject): ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from .findings import Blocks, Level, Outcome, failed, not_applicable, passed
from .metadata import Metadata
from .resource import UNKNOWN, Resource
from .subject import Subject

__all__ = [
    "UNKNOWN",
    "Blocks",
    "Outcome",
    "Resource",
    "Rule",
    "Subject",
    "clause",
    "failed",
    "not_applicable",
    "passed",
    "resource_clause",
]

DeploymentCheck = Callable[[Subject], Iterable[Outcome]]
#: None: holds. A text: what is wrong. A tuple: text, then details.
ResourceAnswer = str | tuple[str, ...] | None
ResourceCheck = Callable[[Resource, Subject], ResourceAnswer]
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Clause:
    """One judged sentence of a rule."""

    name: str
    check: Callable[..., Any]
    #: None: judged on the deployment. Otherwise exact resource types, prefixes ending in `:`, or `*`
    types: tuple[str, ...] | None = None
    #: judged last, when every finding, waiver and the evidence are there
    of_the_run: bool = False

    @property
    def on_resources(self) -> bool:
        """Whether it judges resources one by one."""
        return self.types is not None


@dataclass(frozen=True)
class Rule:
    """A loaded rule. `origin` is the folder it came from, `builtin` whether that is ours."""

    metadata: Metadata
    clauses: tuple[Clause, ...]
    origin: str
    builtin: bool
    #: hash over metadata.yml and check.py
    digest: str

    @property
    def id(self) -> str:
        """The identity used in waivers, reports and documentation."""
        return self.metadata.id

    def level(self, clause_name: str, profile: str) -> Level:
        """The level of a clause in a profile, before a fork raises it."""
        own = self.metadata.clauses[clause_name].levels
        return own[profile] if profile in own else self.metadata.levels.get(profile, Level.ADVISORY)


def clause(name: str, *, of_the_run: bool = False) -> Callable[[Function], Function]:
    """Mark a generator over the deployment as the clause `name` of the rule in this file."""

    def mark(function: Function) -> Function:
        function.__dict__["policy_clause"] = Clause(name, function, of_the_run=of_the_run)
        return function

    return mark


def resource_clause(name: str, *types: str) -> Callable[[Function], Function]:
    """Mark a predicate over one resource; `types` are exact types, prefixes ending in `:`, or `*` for all."""

    def mark(function: Function) -> Function:
        function.__dict__["policy_clause"] = Clause(name, function, types or ("*",))
        return function

    return mark
