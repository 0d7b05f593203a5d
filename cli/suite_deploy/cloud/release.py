# SPDX-License-Identifier: MIT
"""Lets go of volumes and buckets that an inventory no longer wants: the engine forgets them, the cloud keeps them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import CouldNotRun
from ..model.outputs import Progress
from .plan import Step, kind_of, name_of, opens_data

#: kinds of things that hold data
_DATA = ("volume", "bucket")


@dataclass(frozen=True)
class LetGo:
    """A thing that stays in the cloud and is no longer this suite's. name: as the engine calls it; id: as the cloud."""

    kind: str
    name: str
    id: str

    def __str__(self) -> str:
        key = "; the keys that this suite made for it stop working" if self.kind == "bucket" else ""
        return f"kept in the cloud, no longer this suite's: {self.kind} {self.name} ({self.id}){key}"


class Releasing(Protocol):
    """What of a stack is needed here. let_go: urn → what the last plan or run let go of."""

    @property
    def let_go(self) -> Mapping[str, LetGo]: ...
    def resources(self) -> list[dict[str, Any]]: ...
    def release(self, names: Collection[str], *, again: bool = False) -> None: ...


def holds_data(type: str) -> bool:
    """Whether resources of a type are volumes or buckets."""
    return kind_of(type) in _DATA


def change_protection(resources: Iterable[dict[str, Any]], names: Collection[str], *, again: bool = False) -> None:
    """In a state's resources: what is named is forgotten by the engine, not removed, once nobody wants it.

    What only opens a named bucket may be removed for good: without a suite nobody answers for its key. again: put the
    protection of all of it back.
    """
    opened = {name.partition("-")[2] for name in names}
    for resource in resources:
        name, type = name_of(str(resource["urn"])), str(resource["type"])
        data = holds_data(type) and name in names
        if not data and not (opens_data(type) and name.partition("-")[2] in opened):
            continue
        resource["protect"] = again
        if data:
            resource["retainOnDelete"] = not again


@contextmanager
def letting_go(stack: Releasing, names: Sequence[str], progress: Progress) -> Iterator[None]:
    """While a plan is made and judged, and after that: what is named may be let go of.

    Raises CouldNotRun for names that are no data of this suite; whatever is raised inside puts the protection back.
    """
    if not names:
        yield
        return
    data = _data(stack)
    unknown = sorted(set(names) - set(data))
    if unknown:
        raise CouldNotRun(_refused(f"{', '.join(unknown)}: no volume or bucket of this suite", sorted(data)))
    progress(f"letting go of {', '.join(names)}")
    stack.release(names)
    try:
        yield
    except BaseException:
        stack.release(names, again=True)
        raise


def require_let_go(stack: Releasing, names: Sequence[str], steps: Iterable[Step]) -> None:
    """Raise CouldNotRun for what is named and the plan does not remove."""
    gone = {item.name for item in stack.let_go.values()}
    wanted = sorted(set(names) - gone)
    if wanted:
        kept = {step.name for step in steps if step.action != "remove"}
        said = f"{', '.join(wanted)}: the inventory still wants it. Take it out of suite.yml first"
        raise CouldNotRun(_refused(said, sorted(gone | _data(stack).keys() - kept)))


def _data(stack: Releasing) -> dict[str, str]:
    return {name_of(item["urn"]): item["type"] for item in stack.resources() if holds_data(item["type"])}


def _refused(said: str, accepted: Sequence[str]) -> str:
    return f"nothing was changed. --release {said}.\n  There is: {', '.join(accepted) or 'none'}"
