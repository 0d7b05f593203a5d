# SPDX-License-Identifier: MIT
"""Runs a cloud's program as the engine would, under mocks, and records everything it registers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import runpy
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime import mocks as pulumi_mocks
from pulumi.runtime import rpc, settings
from pulumi.runtime.stack import run_in_stack

from tests.checkout import ROOT


@dataclass(frozen=True)
class Registered:
    """One resource as the program asked for it; inputs as the provider would get them (camelCase)."""

    type: str
    name: str
    inputs: Mapping[str, Any]
    urn: str
    parent: str
    #: reference of the provider resource, "" for components
    provider: str
    custom: bool
    protect: bool
    delete_before_replace: bool
    ignore_changes: tuple[str, ...]
    dependencies: tuple[str, ...]
    secret_outputs: tuple[str, ...]
    retained: bool = False


@dataclass
class Recorded:
    """What a run of a program came to."""

    resources: list[Registered] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    #: exports that were marked secret
    secrets: set[str] = field(default_factory=set)

    def of(self, kind: str) -> list[Registered]:
        """Resources whose type ends with `kind`, like `SecGroupRule`."""
        return [item for item in self.resources if item.type.rsplit(":", 1)[-1] == kind]

    def named(self, name: str) -> Registered:
        """The one resource of that name that is no component."""
        (found,) = [item for item in self.resources if item.name == name and item.custom]
        return found


class Recorder(pulumi_mocks.MockMonitor):
    """The mock monitor, which also keeps what mocks are not told: protection, parents, dependencies, exports."""

    def __init__(self, mocks: pulumi.runtime.Mocks) -> None:
        super().__init__(mocks)
        self.recorded = Recorded()
        self._lock = threading.Lock()

    def RegisterResource(self, request: Any) -> Any:
        register: Any = super().RegisterResource
        response = register(request)
        if request.type != "pulumi:pulumi:Stack":
            inputs = rpc.deserialize_properties(request.object)
            with self._lock:
                self.recorded.resources.append(
                    Registered(
                        type=request.type,
                        name=request.name,
                        inputs=inputs,
                        urn=response.urn,
                        parent=request.parent,
                        provider=request.provider,
                        custom=request.custom,
                        protect=request.protect,
                        delete_before_replace=request.deleteBeforeReplace,
                        ignore_changes=tuple(request.ignoreChanges),
                        dependencies=tuple(request.dependencies),
                        secret_outputs=tuple(request.additionalSecretOutputs),
                        retained=request.retainOnDelete,
                    )
                )
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:
        if "::pulumi:pulumi:Stack::" in request.urn:
            content = rpc.deserialize_properties(request.outputs, keep_unknowns=True)
            for name, value in content.items():
                secret = rpc.is_rpc_secret(value)
                if secret:
                    self.recorded.secrets.add(name)
                self.recorded.outputs[name] = rpc.unwrap_rpc_secret(value) if secret else value
        register: Any = super().RegisterResourceOutputs
        return register(request)


def run_program(
    project: Path,
    mocks: pulumi.runtime.Mocks,
    *,
    stack: str,
    environment: Mapping[str, str],
    config: Mapping[str, str] | None = None,
    preview: bool = False,
    recorder: Callable[[pulumi.runtime.Mocks], Recorder] = Recorder,
) -> Recorded:
    """Run `project`/__main__.py, unmodified. Raises what the program raises.

    environment: added to this process's while it runs. config: full key (`suite:inventory`) → value.
    """
    monitor = recorder(mocks)
    loop = asyncio.new_event_loop()
    # what else failed beside the first error, which is raised, would be written out frame by frame at the end
    loop.set_exception_handler(lambda _loop, _context: None)
    asyncio.set_event_loop(loop)
    settings.SETTINGS.rpc_manager.clear()
    settings.SETTINGS.outputs.clear()
    pulumi.runtime.set_mocks(mocks, project=project.name, stack=stack, preview=preview, monitor=monitor)
    pulumi.runtime.set_all_config(dict(config or {}))
    # set_mocks makes a root of its own, without exports; the engine's way makes one with them
    settings.ROOT.set(None)
    with variables(environment):
        loop.run_until_complete(run_in_stack(lambda: _execute(project)))
    return monitor.recorded


def _execute(project: Path) -> None:
    runpy.run_path(str(project / "__main__.py"), run_name="__main__")


@contextlib.contextmanager
def variables(added: Mapping[str, str]) -> Iterator[None]:
    """The environment with `added`, for as long as the block lasts."""
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def project_of(driver: str) -> Path:
    """The project folder of a driver."""
    return ROOT / "stacks" / driver


def accepted_examples(driver: str) -> list[str]:
    """Names of the shipped inventories of a driver that policies accept. Fails when there are none."""
    found = sorted(
        path.parent.name
        for path in (ROOT / "inventories").glob("*accepted/suite.yml")
        if yaml.safe_load(path.read_text()).get("infrastructure", {}).get("driver") == driver
    )
    assert found, f"no accepted example is for {driver}"
    return found
