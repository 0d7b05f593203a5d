# SPDX-License-Identifier: MIT
"""The engine's side of a dynamic provider: a process that serves gRPC, asked the way the engine asks it."""

from __future__ import annotations

import asyncio
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pulumi.dynamic.dynamic import PROVIDER_KEY, ResourceProvider, serialize_provider
from pulumi.runtime import rpc
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2, provider_pb2_grpc

from tests.checkout import ROOT

# imported by name: it has no types
grpc: Any = importlib.import_module("grpc")
#: hurries the process's pace before it serves
HURRIED = """
import runpy, sys
from stacks.outscale.providers.pace import PACE
for name, value in {pace!r}.items():
    setattr(PACE, name, value)
sys.argv = ["dynamic", *sys.argv[1:]]
runpy.run_module("pulumi.dynamic", run_name="__main__")
"""
#: seconds; short enough for tests, long enough to be seen
PACE = {
    "first": 0.01, "longest": 0.05, "jitter": 0.01, "poll": 0.02, "settle": 0.4, "shutdown": 0.3,
    "connect": 1.0, "answer": 1.0, "per_second": 10_000, "attempts": 5, "connections": 2,
}  # fmt: skip
#: a provider, or what the engine's state holds of one
Provider = ResourceProvider | str


class Refused(Exception):
    """The provider raised; the text is what an operator would read."""


@dataclass(frozen=True)
class Made:
    """A resource as the engine's state has it."""

    id: str
    outs: dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """What a diff came to."""

    changes: bool
    replaces: tuple[str, ...]
    delete_before_replace: bool


class Engine:
    """Asks a provider process. `log`: everything that was said about failures, as a console would show it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.stub = provider_pb2_grpc.ResourceProviderStub(self.channel)
        self.log: list[str] = []

    def check(self, provider: Provider, news: Mapping[str, Any], olds: Mapping[str, Any] | None = None) -> Any:
        """(inputs, [(property, reason)])."""
        key = _key(provider)
        request = provider_pb2.CheckRequest(
            urn="urn", olds=_struct({**(olds or {}), PROVIDER_KEY: key}), news=_struct({**news, PROVIDER_KEY: key})
        )
        answer = self._ask("Check", request)
        failures = [(item.property, item.reason) for item in answer.failures]
        return _plain(answer.inputs), failures

    def create(self, provider: Provider, properties: Mapping[str, Any]) -> Made:
        request = provider_pb2.CreateRequest(urn="urn", properties=_with(provider, properties))
        answer = self._ask("Create", request)
        return Made(answer.id, _plain(answer.properties))

    def diff(self, provider: Provider, made: Made, news: Mapping[str, Any]) -> Difference:
        request = provider_pb2.DiffRequest(
            id=made.id, urn="urn", olds=_with(provider, made.outs), news=_with(provider, news)
        )
        answer = self._ask("Diff", request)
        changes = answer.changes == provider_pb2.DiffResponse.DIFF_SOME
        return Difference(changes, tuple(answer.replaces), answer.deleteBeforeReplace)

    def update(self, provider: Provider, made: Made, news: Mapping[str, Any]) -> Made:
        request = provider_pb2.UpdateRequest(
            id=made.id, urn="urn", olds=_with(provider, made.outs), news=_with(provider, news)
        )
        return Made(made.id, _plain(self._ask("Update", request).properties))

    def read(self, provider: Provider, made: Made) -> Made | None:
        """None when it is gone."""
        request = provider_pb2.ReadRequest(id=made.id, urn="urn", properties=_with(provider, made.outs))
        answer = self._ask("Read", request)
        return Made(answer.id, _plain(answer.properties)) if answer.id else None

    def delete(self, provider: Provider, made: Made) -> None:
        self._ask("Delete", provider_pb2.DeleteRequest(id=made.id, urn="urn", properties=_with(provider, made.outs)))

    def _ask(self, method: str, request: Any) -> Any:
        try:
            return getattr(self.stub, method)(request, timeout=120)
        except grpc.RpcError as error:
            self.log.append(error.details())
            # The SDK sends a traceback; what an operator reads of it is its last line: these errors have one line.
            raise Refused(re.sub(r"^[\w.]+: ", "", error.details().strip().splitlines()[-1])) from None


@contextmanager
def running(environment: Mapping[str, str], pace: Mapping[str, float] | None = None) -> Iterator[Engine]:
    """A provider process with this environment and nothing else of Outscale's or the engine's."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    engine_pb2_grpc.add_EngineServicer_to_server(engine_pb2_grpc.EngineServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OSC_", "PULUMI_", "AWS_"))}
    variables = {**kept, "PYTHONPATH": f"{ROOT / 'cli'}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1", **environment}
    program = HURRIED.format(pace={**PACE, **(pace or {})})
    process = subprocess.Popen(
        [sys.executable, "-c", program, f"127.0.0.1:{port}"], stdout=subprocess.PIPE, env=variables, cwd="/"
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.strip().isdigit(), f"the provider printed {line!r} instead of its port"
    engine = Engine(process, int(line))
    try:
        yield engine
    finally:
        engine.channel.close()
        process.kill()
        process.wait(timeout=10)
        process.stdout.close()
        server.stop(None)


def _key(provider: Provider) -> str:
    return provider if isinstance(provider, str) else serialize_provider(provider)


def _with(provider: Provider, properties: Mapping[str, Any]) -> Any:
    return _struct({**properties, PROVIDER_KEY: _key(provider)})


def _struct(properties: Mapping[str, Any]) -> Any:
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(rpc.serialize_properties(dict(properties), {}))
    finally:
        loop.close()


def _plain(struct: Any) -> dict[str, Any]:
    found = rpc.deserialize_properties(struct, True)
    return {key: value for key, value in found.items() if key != PROVIDER_KEY}
