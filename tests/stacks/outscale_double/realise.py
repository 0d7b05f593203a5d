# SPDX-License-Identifier: MIT
"""A TEST DOUBLE of the engine: runs the unmodified program, and has every resource made by its own provider.

There is no state file, no plan and no parallel limit here; what it decides, it decides as the engine does: refresh,
compare, then create, change, replace or leave.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic.dynamic import PROVIDER_KEY

from tests.stacks.support import Recorded, project_of, run_program

from .bench import Bench, environment
from .engine import Engine, Made

#: kinds that a destroy keeps unless asked
PROTECTED = ("Volume", "Bucket")
#: kinds that must exist once per name, whatever happened on the way
ONE_EACH = ("Net", "Subnet", "InternetService", "NatService", "RouteTable", "SecurityGroup", "PublicIp", "Vm", "Volume")


@dataclass
class Kept:
    """What the engine's state would hold of a resource."""

    kind: str
    provider: str
    inputs: dict[str, Any]
    made: Made


@dataclass
class Realised(pulumi.runtime.Mocks):
    """state: name → resource, in the order they were made. did: what the last run did."""

    engine: Engine
    state: dict[str, Kept] = field(default_factory=dict)
    did: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        if not args.typ.startswith("pulumi-python:dynamic"):
            return args.name, dict(args.inputs)
        provider = str(args.inputs[PROVIDER_KEY])
        given = {key: value for key, value in args.inputs.items() if key != PROVIDER_KEY and value is not None}
        try:
            made = self._brought(args.typ.rpartition(":")[2], args.name, provider, given)
        except Exception as error:
            self.refused.append(f"{args.name}: {error}")
            raise
        return made.id, made.outs

    def _brought(self, kind: str, name: str, provider: str, given: dict[str, Any]) -> Made:
        old = self.state.get(name)
        inputs, failures = self.engine.check(provider, given, old.inputs if old else None)
        if failures:
            raise ValueError("; ".join(reason for _, reason in failures))
        what, made = "create", None
        if old is not None:
            seen = self.engine.read(old.provider, old.made)
            if seen is not None:
                what, made = self._compared(provider, seen, inputs)
        if made is None:
            made = self.engine.create(provider, inputs)
        with self.lock:
            self.did[what] += 1
            self.state[name] = Kept(kind, provider, inputs, made)
        return made

    def _compared(self, provider: str, seen: Made, inputs: dict[str, Any]) -> tuple[str, Made | None]:
        difference = self.engine.diff(provider, seen, inputs)
        if difference.replaces:
            assert difference.delete_before_replace
            self.engine.delete(provider, seen)
            return "replace", None
        if difference.changes:
            return "change", self.engine.update(provider, seen, inputs)
        return "same", seen

    def destroy(self, *, with_data: bool) -> None:
        """Remove everything, last made first; volumes and buckets only with their data."""
        self.did.clear()
        for name, kept in reversed(list(self.state.items())):
            if kept.kind in PROTECTED and not with_data:
                self.did["keep"] += 1
                continue
            self.engine.delete(kept.provider, kept.made)
            del self.state[name]
            self.did["delete"] += 1

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        return {}


def up(realised: Realised, folder: Path) -> Recorded:
    """Run the program on an inventory; `realised` counts anew."""
    realised.did.clear()
    realised.refused.clear()
    chosen = {**environment(), "SUITE_DEPLOY_INVENTORY": str(folder)}
    return run_program(project_of("outscale"), realised, stack="agency", environment=chosen)


def nothing_twice(stand: Bench) -> None:
    """Fails when a cloud holds two things of one name, or one without."""
    for kind in ONE_EACH:
        names = [
            next((tag["Value"] for tag in item["Tags"] if tag["Key"] == "Name"), f"untagged {item}")
            for item in stand.cloud.living(kind)
            if not any(link.get("Main") for link in item.get("LinkRouteTables", []))
        ]
        assert len(names) == len(set(names)), f"{kind}: {names}"
        assert not [name for name in names if name.startswith("untagged")], f"{kind}: {names}"
