# SPDX-License-Identifier: MIT
"""Runs the unmodified program and makes what it registers, on a real OpenStack. A test double of the engine.

There is no engine here: `same` means that the inputs are those of the last run and the thing is still there; whatever
differs is made anew, in place of the old one.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openstack
import pulumi

from tests.openstack.makers import Makers, plain
from tests.stacks.support import Recorded, project_of, run_program

_PREFIX = "openstack:"
#: what the real provider says; the program goes by these words
NOTHING = "Your query returned no results. Please change your search criteria and try again."


@dataclass
class Step:
    """One thing done: created, replaced, same, removed or kept."""

    what: str
    kind: str
    name: str
    seconds: float


@dataclass
class Run:
    """What one run came to."""

    recorded: Recorded
    steps: list[Step]
    seconds: float

    def count(self, what: str) -> int:
        return sum(step.what == what for step in self.steps)


@dataclass
class Cloud(pulumi.runtime.Mocks):
    """The double over one state file. providers: inputs of the provider resources that programs registered."""

    state_file: Path
    steps: list[Step] = field(default_factory=list)
    providers: list[Mapping[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state: dict[str, dict[str, Any]] = {}
        if self.state_file.exists():
            self.state = json.loads(self.state_file.read_text())
        self._lock = threading.Lock()
        self._threads = threading.local()
        self._where = ("", "")

    @property
    def makers(self) -> Makers:
        """Of this thread: a client is not shared between threads."""
        if not hasattr(self._threads, "makers"):
            self._threads.makers = Makers(openstack.connect(auth_url=self._where[0], region_name=self._where[1]))
        found: Makers = self._threads.makers
        return found

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        inputs = plain(args.inputs)
        if args.typ == "pulumi:providers:openstack":
            # where to go is the program's word; who asks comes from the environment, as for the real provider
            self.providers.append(inputs)
            self._where = (inputs["authUrl"], inputs["region"])
        if not args.typ.startswith(_PREFIX):
            return args.name, args.inputs
        started = time.monotonic()
        kind = args.typ.removeprefix(_PREFIX)
        maker = self.makers.by_type[kind]
        key = f"{kind}/{args.name}"
        old = self.state.get(key)
        there = old is not None and maker.find(old["id"], old["inputs"]) is not None
        if old is not None and there and _compared(old["inputs"]) == _compared(inputs):
            self._note("same", kind, args.name, started)
            return old["id"], {**inputs, **old["added"]}
        if old is not None and there:
            maker.remove(old["id"], old["inputs"])
        id_, added = maker.make(inputs)
        with self._lock:
            self.state.pop(key, None)
            self.state[key] = {"id": id_, "inputs": inputs, "added": added}
            self._save()
        self._note("replaced" if there else "created", kind, args.name, started)
        return id_, {**inputs, **added}

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        cloud, name = self.makers.cloud, args.args.get("name")
        found: list[Any]
        if args.token.endswith(":getNetwork"):
            found = [item for item in cloud.network.networks(is_router_external=True) if name in (None, item.name)]
        elif args.token.endswith(":getFlavor"):
            found = [item for item in cloud.compute.flavors() if item.name == name]
        else:
            found = list(cloud.image.images(name=name))
        if not found:
            return {}, [("name", NOTHING)]
        return {"id": found[0].id, "name": found[0].name, "disk": getattr(found[0], "disk", 0), "properties": {}}

    def up(self, inventory: Path, stack: str) -> Run:
        """Run the program, make what is missing or differs, and remove what it no longer names."""
        self.steps, started = [], time.monotonic()
        recorded = run_program(
            project_of("openstack"), self, stack=stack, environment={"SUITE_DEPLOY_INVENTORY": str(inventory)}
        )
        wanted = {f"{item.type.removeprefix(_PREFIX)}/{item.name}": item.protect for item in recorded.resources}
        for key in reversed(list(self.state)):
            if key in wanted:
                self.state[key]["protect"] = wanted[key]
            else:
                self._remove(key)
        self._save()
        return Run(recorded, self.steps, time.monotonic() - started)

    def destroy(self, *, with_data: bool) -> list[str]:
        """Remove everything, the youngest first; what is protected only with data. Returns what was kept."""
        self.steps, kept = [], []
        for key, entry in reversed(list(self.state.items())):
            if entry.get("protect") and not with_data:
                kept.append(key.rpartition("/")[2])
                continue
            self._remove(key)
        return kept

    def _remove(self, key: str) -> None:
        kind, _, name = key.rpartition("/")
        entry = self.state[key]
        started, maker = time.monotonic(), self.makers.by_type[kind]
        if maker.find(entry["id"], entry["inputs"]) is not None:
            maker.remove(entry["id"], entry["inputs"])
        del self.state[key]
        self._save()
        self._note("removed", kind, name, started)

    def id_of(self, kind: str, name: str) -> str:
        """The cloud's id of a resource."""
        return str(self.state[f"{kind}/{name}"]["id"])

    def _note(self, what: str, kind: str, name: str, started: float) -> None:
        step = Step(what, kind.rpartition(":")[2], name, time.monotonic() - started)
        with self._lock:
            self.steps.append(step)
        if what != "same":
            print(f"  {step.seconds:6.1f} s  {what:<9} {step.kind:<20} {name}", flush=True)

    def _save(self) -> None:
        self.state_file.write_text(json.dumps(self.state, indent=1))
        self.state_file.chmod(0o600)


def _compared(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What the program asked not to be compared: it matters at a host's first boot only."""
    return {key: value for key, value in inputs.items() if key not in ("userData", "blockDevices")}
