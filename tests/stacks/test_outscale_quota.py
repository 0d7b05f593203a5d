# SPDX-License-Identifier: MIT
"""Before anything is made, Outscale is asked for its quota: where the inventory says, with the keys that were found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stacks.outscale.providers.pace import PACE
from suite_deploy.cloud.asking import ask
from suite_deploy.cloud.credentials import Credentials
from suite_deploy.cloud.decision import weigh
from suite_deploy.cloud.plan import Step
from suite_deploy.cloud.room import Left, Room
from suite_deploy.errors import CouldNotRun
from suite_deploy.model.loader import load
from tests.stacks.outscale_double import Fault
from tests.stacks.outscale_double.bench import REGION, inventory
from tests.stacks.outscale_double.cloud import Cloud
from tests.stacks.outscale_double.engine import PACE as HURRIED
from tests.stacks.outscale_double.server import ACCESS_KEY, SECRET_KEY, Server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """A double that nothing around points to: the variables and the profile lead nowhere, with wrong keys."""
    for name, value in HURRIED.items():
        monkeypatch.setattr(PACE, name, value)
    profile = tmp_path / "config.json"
    profile.write_text('{"default": {"access_key": "F", "secret_key": "F", "region": "us-east-2"}}', encoding="utf-8")
    monkeypatch.setenv("OSC_CONFIG_FILE", str(profile))
    for name in ("OSC_ACCESS_KEY", "OSC_SECRET_KEY", "OSC_REGION"):
        monkeypatch.setenv(name, "elsewhere")
    monkeypatch.setenv("OSC_ENDPOINT_API", "http://127.0.0.1:9/api/v1")
    cloud = Cloud()
    cloud.region = REGION
    cloud.quotas = {"core_limit": (100, 4), "memory_limit": (400, 20), "vm_limit": (0, 3)}
    running = Server(cloud).start()
    yield running
    running.stop()
    assert running.violations == [], "against Outscale's published API description"


def asked(server: Server, folder: Path, *, secret: str = SECRET_KEY, endpoint: str = "") -> Room:
    deployment = load(str(inventory(folder, endpoint or server.endpoint)))
    variables = {"OSC_ACCESS_KEY": ACCESS_KEY, "OSC_SECRET_KEY": secret}
    return ask(deployment, Credentials(variables, {"outscale": "environment"}, ()))


def test_the_quota_is_asked_of_the_inventorys_endpoint_with_the_keys_given(server: Server, tmp_path: Path) -> None:
    room = asked(server, tmp_path)
    assert room.left == {"vCPU": Left(100, 4), "memory MiB": Left(409600, 20480), "hosts": Left(None, 3)}
    assert room.silent == ()
    assert server.seen == [("ReadQuotas", {"Filters": {"QuotaTypes": ["global"]}})]


def test_wrong_keys_are_said_once_and_without_a_traceback(server: Server, tmp_path: Path) -> None:
    with pytest.raises(CouldNotRun, match="does not accept the credentials") as refused:
        asked(server, tmp_path, secret="another")
    assert "suite-deploy doctor NAME" in str(refused.value) and "another" not in str(refused.value)
    assert server.asked == ["ReadQuotas"], "Outscale locks accounts after wrong sign-ins"


def test_a_key_that_may_not_ask_goes_on_without_knowing(server: Server, tmp_path: Path) -> None:
    server.faults = [Fault("ReadQuotas", "refuse", error=(401, "4", "AccessDenied", "no right"))]
    room = asked(server, tmp_path)
    assert room.left == {}
    (said,) = room.silent
    assert said.startswith("quota: ReadQuotas: Outscale refuses: AccessDenied 4") and "request " in said
    decision = weigh(load(str(tmp_path)), [], room)
    decision.refuse()
    assert f"not said by the cloud: {said}" in decision.as_text()


def test_throttling_passes_and_lasting_failure_is_said(server: Server, tmp_path: Path) -> None:
    server.faults = [Fault("ReadQuotas", "throttle", times=2)]
    assert asked(server, tmp_path).left
    server.faults = [Fault("ReadQuotas", "throttle", times=100)]
    with pytest.raises(CouldNotRun, match="refused to say its quota") as refused:
        asked(server, tmp_path)
    assert "may not do this" not in str(refused.value)


def test_an_endpoint_that_is_silent_ends_in_time(server: Server, tmp_path: Path) -> None:
    server.hang = 1.5
    server.faults = [Fault("ReadQuotas", "hang", times=100)]
    with pytest.raises(CouldNotRun, match=r"could not be asked for its quota\n.*gave no answer"):
        asked(server, tmp_path)


def test_an_endpoint_nobody_answers_at_is_named(server: Server, tmp_path: Path) -> None:
    with pytest.raises(CouldNotRun, match=r"http://127.0.0.1:9/api/v1, region .*could not be asked"):
        asked(server, tmp_path, endpoint="http://127.0.0.1:9/api/v1")


def test_an_endpoint_of_another_region_is_said_before_keys_go_there(server: Server, tmp_path: Path) -> None:
    with pytest.raises(CouldNotRun, match=rf"of the region eu-west-2, and infrastructure.region says '{REGION}'"):
        asked(server, tmp_path, endpoint="https://api.eu-west-2.outscale.com/api/v1")


@pytest.mark.parametrize("denied", [False, True])
def test_a_flavor_that_is_none_is_answered_with_how_one_is_written(
    server: Server, tmp_path: Path, denied: bool
) -> None:
    if denied:
        server.faults = [Fault("ReadQuotas", "refuse", error=(401, "4", "AccessDenied", ""))]
    room = asked(server, tmp_path)
    wrong = Step("create", "pulumi-python:dynamic/outscale:Vm", "urn", "host-app-1", inputs={"vmType": "b3-16"})
    decision = weigh(load(str(tmp_path)), [wrong], room)
    assert decision.unknown_flavors == ("b3-16",)
    with pytest.raises(CouldNotRun, match=r"no flavor b3-16\n.*written .*like tinav6\.c4r16p2"):
        decision.refuse()
    assert "like tinav6.c4r16p2" in decision.as_text() and "none" not in decision.as_text()
