# SPDX-License-Identifier: MIT
"""Who makes resources in a test, and where: what a test double of the engine asks of a provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime import rpc

Inputs = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A resource as the program registered it; what is not known yet is an `Unknown`.

    after: URNs of what it depends on. from_: input → URNs of what its value comes from. with_: whose removal it is.
    """

    type: str
    name: str
    urn: str
    inputs: Inputs
    protect: bool = False
    delete_first: bool = False
    ignored: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    retain: bool = False
    from_: dict[str, list[str]] = field(default_factory=dict)
    with_: str = ""

    @property
    def known(self) -> Inputs:
        """The inputs that have a value."""
        return {key: value for key, value in self.inputs.items() if not has_unknown(value)}


@dataclass
class Kept:
    """What the engine's state holds of a resource.

    begun: its creation failed after the cloud had given it an id. retain: it is let go, never removed.
    from_: input → URNs of what its value comes from. with_: URN of the resource whose removal removes it too.
    """

    type: str
    name: str
    urn: str
    id: str
    inputs: Inputs
    outs: Inputs
    protect: bool = False
    begun: bool = False
    after: tuple[str, ...] = ()
    retain: bool = False
    from_: dict[str, list[str]] = field(default_factory=dict)
    with_: str = ""


@dataclass(frozen=True)
class Difference:
    """changed: names of inputs that differ. replace: whether only another one will do."""

    changed: tuple[str, ...] = ()
    replace: bool = False


class Realiser:
    """Where resources are made, as a provider makes them. Failures are raised, in the real provider's words."""

    def start(self, environment: Mapping[str, str]) -> None:
        """A run begins; environment: all that providers see."""

    def makes(self, type: str) -> bool:
        """Whether resources of this type are made here; others (providers) are only registered."""
        raise NotImplementedError

    def provider(self, type: str, inputs: Inputs) -> None:
        """A provider was registered: where to go, by the program's own words."""

    def call(self, token: str, args: Mapping[str, Any]) -> Inputs:
        """A question of the program to a provider."""
        raise NotImplementedError

    def check(self, asked: Asked, kept: Kept | None) -> Inputs:
        """The inputs as the provider takes them; raises for what can't be right. kept: what there was."""
        return asked.inputs

    def find(self, kept: Kept) -> Inputs | None:
        """The properties of what there is; None when it is gone."""
        raise NotImplementedError

    def compare(self, kept: Kept, inputs: Inputs) -> Difference:
        """How what there is differs from what is wanted."""
        names = sorted({key for key in {**kept.inputs, **inputs} if kept.inputs.get(key) != inputs.get(key)})
        return Difference(tuple(names))

    def create(self, asked: Asked, begun: Callable[[str], None]) -> tuple[str, Inputs]:
        """Make one; its id and properties. begun: told the id as soon as the cloud has given it."""
        raise NotImplementedError

    def update(self, kept: Kept, inputs: Inputs) -> Inputs:
        """Change one; its properties."""
        raise NotImplementedError

    def delete(self, kept: Kept) -> None:
        """Remove one."""
        raise NotImplementedError


def revealed(value: Any) -> Any:
    """A value without the marks of secrets, with whole numbers as such: protocol and JSON know floats only."""
    if rpc.is_rpc_secret(value):
        return revealed(rpc.unwrap_rpc_secret(value))
    if isinstance(value, dict):
        return {key: revealed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [revealed(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def has_unknown(value: Any) -> bool:
    """Whether a value, or a part of it, is not known yet."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, pulumi.output.Unknown) or any(map(has_unknown, parts))


def shown(inputs: Mapping[str, Any]) -> Inputs:
    """Inputs as a plan shows them: without what a dynamic provider is pickled to."""
    return {key: value for key, value in inputs.items() if not key.startswith("__")}
