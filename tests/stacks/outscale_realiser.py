# SPDX-License-Identifier: MIT
"""Has resources of Outscale made by their own providers, over the dynamic provider's gRPC, on the double of its API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from pulumi.dynamic.dynamic import PROVIDER_KEY

from tests.stacks.outscale_double.engine import Engine, Made, running
from tests.stacks.realiser import Asked, Difference, Inputs, Kept, Realiser

_KEYS = ("OSC_ACCESS_KEY", "OSC_SECRET_KEY")


class OutscaleRealiser(Realiser):
    """Keeps one provider process per pair of keys until it is closed.

    created: names of what was made, in order. interrupt_at: whose creation the operator interrupts.
    """

    def __init__(self) -> None:
        self.created: list[str] = []
        self.interrupt_at = ""
        self._open = ExitStack()
        self._running: dict[tuple[str, ...], Engine] = {}
        self._engine: Engine | None = None

    def close(self) -> None:
        """End the processes."""
        self._open.close()

    def start(self, environment: Mapping[str, str]) -> None:
        keys = tuple(environment[name] for name in _KEYS)
        if keys not in self._running:
            # as the engine starts it, else the port it says stays in a buffer
            given = {**dict(zip(_KEYS, keys, strict=True)), "HOME": "/nonexistent", "PYTHONUNBUFFERED": "1"}
            self._running[keys] = self._open.enter_context(running(given))
        self._engine = self._running[keys]

    @property
    def log(self) -> str:
        """What the processes said of failures."""
        return "\n".join(line for engine in self._running.values() for line in engine.log)

    def makes(self, type: str) -> bool:
        return type.startswith("pulumi-python:dynamic")

    def check(self, asked: Asked, kept: Kept | None) -> Inputs:
        key = str(asked.inputs[PROVIDER_KEY])
        inputs, failures = self._asked.check(key, _given(asked.inputs), _given(kept.inputs) if kept else None)
        if failures:
            raise ValueError("; ".join(reason for _, reason in failures))
        return {**inputs, PROVIDER_KEY: key}

    def find(self, kept: Kept) -> Inputs | None:
        seen = self._asked.read(kept.inputs[PROVIDER_KEY], _made(kept))
        return seen.outs if seen else None

    def compare(self, kept: Kept, inputs: Inputs) -> Difference:
        found = self._asked.diff(inputs[PROVIDER_KEY], _made(kept), _given(inputs))
        changed = tuple(name for name in _given(inputs) if kept.inputs.get(name) != inputs[name])
        return Difference(changed or ("?",) if found.changes else (), bool(found.replaces))

    def create(self, asked: Asked, begun: Callable[[str], None]) -> tuple[str, Inputs]:
        if asked.name == self.interrupt_at:
            raise KeyboardInterrupt
        made = self._asked.create(asked.inputs[PROVIDER_KEY], _given(asked.inputs))
        self.created.append(asked.name)
        return made.id, made.outs

    def update(self, kept: Kept, inputs: Inputs) -> Inputs:
        return self._asked.update(inputs[PROVIDER_KEY], _made(kept), _given(inputs)).outs

    def delete(self, kept: Kept) -> None:
        self._asked.delete(kept.inputs[PROVIDER_KEY], _made(kept))

    @property
    def _asked(self) -> Engine:
        assert self._engine is not None, "no run has begun"
        return self._engine


def _given(inputs: Inputs) -> dict[str, Any]:
    return {name: value for name, value in inputs.items() if name != PROVIDER_KEY}


def _made(kept: Kept) -> Made:
    return Made(kept.id, kept.outs)
