# SPDX-License-Identifier: MIT
"""The unmodified program, realised by its own providers on a double of Outscale's API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from tests.stacks.outscale_double import Fault, faults
from tests.stacks.outscale_double.bench import Bench, bench, environment, inventory
from tests.stacks.outscale_double.realise import ONE_EACH, Realised, nothing_twice, up


@pytest.fixture
def stand() -> Iterator[Bench]:
    with bench(lag=0.05, delay=0.05) as made:
        yield made


def test_a_suite_is_made_left_alone_and_removed(stand: Bench, tmp_path: Path) -> None:
    realised, folder = Realised(stand.engine), inventory(tmp_path, stand.server.endpoint)
    recorded = up(realised, folder)
    assert set(realised.did) == {"create"}
    nothing_twice(stand)
    hosts = {host["name"]: host for host in recorded.outputs["outputs"]["hosts"]}
    vms = {vm["PrivateIp"]: vm for vm in stand.cloud.living("Vm")}
    assert {host["private_address"] for host in hosts.values()} == set(vms)
    assert hosts["app-1"]["address"] == vms[hosts["app-1"]["private_address"]]["PublicIp"]
    assert hosts["data-1"]["jump"] == "app-1" and not hosts["data-1"]["public_address"]
    linked = {link["DeviceName"] for volume in stand.cloud.living("Volume") for link in volume["LinkedVolumes"]}
    assert linked == {"/dev/xvdb", "/dev/xvdc"}

    written = len(stand.server.seen)
    up(realised, folder)
    assert set(realised.did) == {"same"}, "a second run changes nothing"
    again = [action for action, _ in stand.server.seen[written:]]
    assert all(action.startswith("Read") for action in again), "a second run only reads"

    realised.destroy(with_data=False)
    assert realised.did["keep"] == 2
    left = {kind: stand.cloud.living(kind) for kind in ONE_EACH if stand.cloud.living(kind)}
    assert list(left) == ["Volume"], f"only data is kept: {left}"

    kept = {volume["VolumeId"] for volume in stand.cloud.living("Volume")}
    up(Realised(stand.engine), folder)
    assert {volume["VolumeId"] for volume in stand.cloud.living("Volume")} == kept, "what was kept is used again"


def test_everything_goes_with_its_data(stand: Bench, tmp_path: Path) -> None:
    realised, folder = Realised(stand.engine), inventory(tmp_path, stand.server.endpoint)
    up(realised, folder)
    realised.destroy(with_data=True)
    assert not {kind: stand.cloud.living(kind) for kind in (*ONE_EACH, "Keypair") if stand.cloud.living(kind)}


@pytest.mark.parametrize("kind", get_args(faults.Kind)[:5])
def test_a_fault_in_every_creation_changes_nothing_in_the_end(tmp_path: Path, kind: faults.Kind) -> None:
    with bench() as stand:
        realised, folder = Realised(stand.engine), inventory(tmp_path, stand.server.endpoint)
        actions = ["Net", "Subnet", "InternetService", "NatService", "RouteTable", "Route", "SecurityGroup"]
        actions += ["SecurityGroupRule", "PublicIp", "Keypair", "Vms", "Volume", "Tags"]
        stand.server.faults = [Fault(f"Create{name}", kind) for name in actions]
        stand.server.faults += [
            Fault(f"Link{name}", kind) for name in ("InternetService", "RouteTable", "PublicIp", "Volume")
        ]
        up(realised, folder)
        assert not [fault for fault in stand.server.faults if fault.times], "every fault struck"
        nothing_twice(stand)
        up(realised, folder)
        assert set(realised.did) == {"same"}


#: what ends a run half-way, and what an operator reads then
ENDINGS = {
    "quota": (
        Fault("CreateVms", "refuse", error=(400, "10010", "TooManyResources (QuotaExceded)", "")),
        "quota is used",
    ),
    "flavor": (Fault("CreateVms", "refuse", error=(400, "5024", "InvalidResource", "")), "No such VM type"),
    "rights": (Fault("CreateTags", "refuse", after=4, error=(401, "4", "AccessDenied", "")), "AccessDenied 4"),
    "line": (Fault("CreateSubnet", "drop", times=9), "gave no answer"),
    "late": (Fault("CreateVolume", "lose", times=9), "gave no answer"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_interrupted_run_is_finished_by_the_next(tmp_path: Path, ending: str) -> None:
    with bench() as stand:
        realised, folder = Realised(stand.engine), inventory(tmp_path, stand.server.endpoint)
        fault, text = ENDINGS[ending]
        stand.server.faults = [replace(fault)]
        with pytest.raises(Exception, match=text):
            up(realised, folder)
        stand.server.faults = []
        up(realised, folder)
        assert set(realised.did) <= {"create", "same"}, "what was there stays"
        nothing_twice(stand)
        up(realised, folder)
        assert set(realised.did) == {"same"}


def test_what_was_deleted_behind_our_back_is_made_again(stand: Bench, tmp_path: Path) -> None:
    realised, folder = Realised(stand.engine), inventory(tmp_path, stand.server.endpoint)
    up(realised, folder)
    gone = realised.state["host-app-1"].made.id
    stand.cloud.carry_out("DeleteVms", {"VmIds": [gone]})
    stand.cloud.carry_out("UnlinkRouteTable", {"LinkRouteTableId": link_of(stand)})
    up(realised, folder)
    assert realised.did == {"same": len(realised.state) - 3, "create": 1, "change": 2}
    assert len(stand.cloud.living("Vm")) == 2
    address = realised.state["address-app-1"].made.outs
    assert address["vmId"] == realised.state["host-app-1"].made.id != gone
    nothing_twice(stand)


def link_of(stand: Bench) -> str:
    return next(
        str(link["LinkRouteTableId"])
        for table in stand.cloud.living("RouteTable")
        for link in table["LinkRouteTables"]
        if not link["Main"]
    )


def test_no_secret_leaves_the_environment(stand: Bench, tmp_path: Path) -> None:
    realised, folder = Realised(stand.engine), inventory(tmp_path, stand.server.endpoint)
    recorded = up(realised, folder)
    text = f"{recorded} {realised.state} {stand.said()}"
    for secret in (environment()["OSC_SECRET_KEY"], environment()["OSC_ACCESS_KEY"]):
        assert secret not in text
