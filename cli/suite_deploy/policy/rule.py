# SPDX-License-Identifier: MIT
"""What a rule is made of: clauses on the deployment, clauses on single resources, and metadata.

A rule folder holds `metadata.yml`, `check.py` and `cases/`. A fork's rules are written like the built-in ones:

    from suite_deploy.policy.rule import Subject, clause, failed, passed

    @clause("relay_named")
    def relay_named(subject: Subject): ...

Of this program, `check.py` imports from here what rules are made of and judge, and from these modules of
`suite_deploy.policy` what they ask; everything else may change without notice:

    ambient          which settings of the operator's environment mean what
    clock            whether a day lies between two others
    coverage         which resource types were looked at, and which service they use
    hosts            hosts of URLs, compared label by label
    imageref         parts of an image's name
    places           properties that say where something is
    reach            hosts that the inventory declared
    register_schema  the register's rows, and the order of its confidences
    resource         every value of nested properties
    scan             settings and hosts in rendered files
    sentences        sentences that several rules say
    stores           whether an object store stands where it may
    waivers          what is wrong with a waiver
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from .findings import Blocks, Level, Outcome, failed, not_applicable, passed
from .metadata import Metadata
from .resource import UNKNOWN, Resource
from .subject import ComponentView, LeakKey, Subject

__all__ = [
    "UNKNOWN",
    "Blocks",
    "ComponentView",
    "LeakKey",
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
    """Mark a generator of outcomes over the subject as the clause `name` of the rule in this file.

    of_the_run: judged last, when every finding, waiver and the evidence are there.
    """

    def mark(function: Function) -> Function:
        function.__dict__["policy_clause"] = Clause(name, function, of_the_run=of_the_run)
        return function

    return mark


def resource_clause(name: str, *types: str) -> Callable[[Function], Function]:
    """Mark a predicate over one resource; `types` are exact types, prefixes ending in `:`, or `*` for all.

    It is called with the resource and the subject, and answers None when the clause holds, a text that says what is
    wrong, or a tuple of that text and further lines.
    """

    def mark(function: Function) -> Function:
        function.__dict__["policy_clause"] = Clause(name, function, types or ("*",))
        return function

    return mark
