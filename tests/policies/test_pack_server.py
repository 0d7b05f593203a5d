# SPDX-License-Identifier: MIT
"""The pack over its real interface: a process that serves gRPC to a stand-in for the engine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent import futures
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.checkout import ROOT

from .support import REGISTER_DAY, copy_inventory

grpc = pytest.importorskip("grpc", reason="the engine's SDK is not installed (extra `cloud`)")
pytest.importorskip("pulumi_policy", reason="the engine's policy SDK is not installed (extra `cloud`)")
runtime = pytest.importorskip("pulumi.runtime.proto")
analyzer_grpc = pytest.importorskip("pulumi.runtime.proto.analyzer_pb2_grpc")
engine_grpc = pytest.importorskip("pulumi.runtime.proto.engine_pb2_grpc")

PROVIDER = {"region": "eu-west-sbg-snc", "authUrl": "https://keystone.region-x.snc.example/v3"}
NETWORK = "openstack:networking/network:Network"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
#: freezes the clock of the pack's process before its program starts
FROZEN = """
import runpy, sys
from datetime import date
from suite_deploy.policy import clock
clock.paris_day = lambda moment=None: date.fromisoformat({day!r})
sys.argv = ["policy", *sys.argv[1:]]
runpy.run_module("pulumi.policy", run_name="__main__")
"""


class Pack:
    """A running pack, and the questions an engine asks it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int):
        self.process = process
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.stub = analyzer_grpc.AnalyzerStub(self.channel)

    def analyze(self, kind: str, props: dict[str, Any], provider: dict[str, Any] | None = None) -> list[Any]:
        """The diagnostics for one resource."""
        from google.protobuf import struct_pb2

        def struct(values: dict[str, Any]) -> Any:
            made = struct_pb2.Struct()
            made.update(values)
            return made

        request = runtime.analyzer_pb2.AnalyzeRequest(
            type=kind,
            urn=f"urn:pulumi:region-x::suite-openstack::{kind}::thing",
            name="thing",
            properties=struct(props),
        )
        given = PROVIDER if provider is None else provider
        request.provider.CopyFrom(
            runtime.analyzer_pb2.AnalyzerProviderResource(
                type="pulumi:providers:openstack", urn="urn::p", name="p", properties=struct(given)
            )
        )
        return list(self.stub.Analyze(request, timeout=30).diagnostics)


def start(inventory: str, day: date) -> tuple[Pack, Any]:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    engine_grpc.add_EngineServicer_to_server(engine_grpc.EngineServicer(), server)
    engine_port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "PULUMI_", "AWS_"))}
    variables |= {"PYTHONPATH": str(ROOT / "cli"), "PYTHONDONTWRITEBYTECODE": "1", "SUITE_DEPLOY_INVENTORY": inventory}
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            FROZEN.format(day=day.isoformat()),
            f"127.0.0.1:{engine_port}",
            str(ROOT / "policies/pack"),
        ],
        stdout=subprocess.PIPE,
        env=variables,
        cwd=ROOT,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.strip().isdigit(), f"the pack printed {line!r} instead of its port"
    return Pack(process, int(line)), server


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pack]:
    folder = copy_inventory("example-openstack-accepted", tmp_path_factory.mktemp("pack"))
    running, server = start(str(folder), REGISTER_DAY)
    yield running
    running.channel.close()
    running.process.kill()
    running.process.wait(timeout=10)
    server.stop(None)


def mandatory(diagnostics: list[Any]) -> list[str]:
    level = runtime.analyzer_pb2.EnforcementLevel.Value("MANDATORY")
    return [item.policyName for item in diagnostics if item.enforcementLevel == level]


def test_the_pack_says_who_it_is_and_what_it_judges(pack: Pack) -> None:
    from google.protobuf import empty_pb2

    info = pack.stub.GetAnalyzerInfo(empty_pb2.Empty(), timeout=30)
    assert info.name == "suite-deploy"
    assert "REG-004.region_declared" in [policy.name for policy in info.policies]


def test_a_good_resource_passes(pack: Pack) -> None:
    assert pack.analyze(NETWORK, {"name": "n"}) == []


def test_another_region_is_a_mandatory_violation(pack: Pack) -> None:
    assert mandatory(pack.analyze(NETWORK, {"region": "GRA11"})) == ["REG-004.region_declared"]


def test_an_unknown_region_is_a_mandatory_violation(pack: Pack) -> None:
    found = pack.analyze(NETWORK, {"region": UNKNOWN})
    assert mandatory(found) == ["REG-005.place_known"]
    assert not [item for item in found if "can't run policy" in item.message]


def test_an_unknown_region_of_the_provider_is_a_mandatory_violation(pack: Pack) -> None:
    assert "REG-005.place_known" in mandatory(pack.analyze(NETWORK, {}, {**PROVIDER, "region": UNKNOWN}))


def test_an_unlisted_type_is_a_mandatory_violation(pack: Pack) -> None:
    assert mandatory(pack.analyze("openstack:dns/zone:Zone", {})) == ["REG-006.type_listed"]


def test_the_accepted_inventory_lets_the_stack_pass(pack: Pack) -> None:
    assert pack.analyze("pulumi:pulumi:Stack", {}, {}) == []


def test_an_answer_takes_less_than_five_milliseconds(pack: Pack) -> None:
    """The median of a hundred: one slow answer on a busy machine says nothing."""
    pack.analyze(NETWORK, {"name": "n"})
    times = []
    for _ in range(100):
        started = time.perf_counter()
        pack.analyze(NETWORK, {"name": "n", "adminStateUp": True})
        times.append(time.perf_counter() - started)
    median = sorted(times)[50]
    print(f"policy pack: {median * 1000:.2f} ms an answer")
    assert median <= 0.005, f"{median * 1000:.1f} ms"


def test_a_refused_inventory_refuses_the_stack(tmp_path: Path) -> None:
    folder = copy_inventory("example-outscale-refused", tmp_path)
    running, server = start(str(folder), REGISTER_DAY)
    try:
        assert mandatory(running.analyze("pulumi:pulumi:Stack", {}, {})) == ["inventory"]
    finally:
        running.channel.close()
        running.process.kill()
        running.process.wait(timeout=10)
        server.stop(None)
