# SPDX-License-Identifier: MIT
"""A suite that changes and goes while the connection fails: each change and each removal is carried out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from suite_deploy.errors import SuiteError
from tests.stacks.outscale_double import Fault, faults
from tests.stacks.outscale_double.bench import Bench, bench, inventory
from tests.stacks.outscale_double.realise import ONE_EACH, Realised, nothing_twice, up
from tests.stacks.realising import RealisingStack
from tests.stacks.scenes import SCENES

#: what may happen to any request; a `hang` is as long as clients wait, so it is asked of creations only
KINDS = get_args(faults.Kind)[:5]
#: actions that a change of the inventory sends beside creations
CHANGING = ("UpdateVm", "StopVms", "StartVms", "LinkPublicIp", "DeleteSecurityGroupRule", "UpdateVolume")
REMOVING = (
    *(f"Delete{name}" for name in ("Vms", "NatService", "PublicIp", "RouteTable", "InternetService", "SecurityGroup")),
    *(f"Delete{name}" for name in ("Subnet", "Net", "Keypair", "Volume")),
    *(f"Unlink{name}" for name in ("RouteTable", "InternetService")),
    "StopVms",
)


@pytest.fixture
def stand() -> Iterator[Bench]:
    with bench() as made:
        yield made


def changed(folder: Path, **given: Any) -> Path:
    """The inventory with other things said of its hosts, volumes or SSH."""
    path = folder / "suite.yml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["ssh"]["from"] = given.get("ssh", content["ssh"]["from"])
    for host, values in given.get("hosts", {}).items():
        content["infrastructure"]["hosts"][host].update(values)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_in_every_change_changes_nothing_in_the_end(stand: Bench, tmp_path: Path, kind: faults.Kind) -> None:
    realised, folder = Realised(stand.engine), inventory(tmp_path, stand.server.endpoint)
    up(realised, folder)
    ids = {vm["VmId"] for vm in stand.cloud.living("Vm")}
    hosts = {
        "app-1": {"flavor": "tinav6.c2r8p2"},
        "data-1": {"flavor": "tinav6.c2r8p2", "volumes": {"postgresql": "200GiB", "valkey": "10GiB"}},
    }
    changed(folder, hosts=hosts, ssh=["198.51.100.0/24"])
    stand.server.faults = [Fault(action, kind) for action in CHANGING]
    up(realised, folder)
    assert not [fault.action for fault in stand.server.faults if fault.times], "every fault struck"
    nothing_twice(stand)
    assert {vm["VmId"] for vm in stand.cloud.living("Vm")} == ids
    assert {(vm["VmType"], vm["State"]) for vm in stand.cloud.living("Vm")} == {("tinav6.c2r8p2", "running")}
    assert [vm["PublicIp"] for vm in stand.cloud.living("Vm") if vm.get("PublicIp")], "edge kept its address"
    up(realised, folder)
    assert set(realised.did) == {"same"}


@pytest.mark.parametrize("kind", (None, *KINDS))
def test_a_volume_that_comes_later_moves_no_other(stand: Bench, tmp_path: Path, kind: faults.Kind | None) -> None:
    """Whatever its name: `grist` comes before the others in the alphabet."""
    realised, folder = Realised(stand.engine), inventory(tmp_path, stand.server.endpoint)
    up(realised, folder)
    before, stops = _devices(stand), stand.server.count("StopVms")
    assert sorted(before.values()) == ["/dev/xvdb", "/dev/xvdc"]
    volumes = {"grist": "10GiB", "postgresql": "100GiB", "valkey": "10GiB"}
    stand.server.faults = [Fault("LinkVolume", kind)] if kind else []
    recorded = up(realised, changed(folder, hosts={"data-1": {"volumes": volumes}}))
    assert realised.did == {"create": 2, "same": sum(realised.did.values()) - 2}
    assert _devices(stand) == {**before, "agency-data-1-grist": "/dev/xvdd"}
    assert stand.server.count("StopVms") == stops, "the host goes on"
    (shown,) = [host["volumes"] for host in recorded.outputs["outputs"]["hosts"] if host["name"] == "data-1"]
    assert shown == {
        name.removeprefix("agency-data-1-"): f"/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_sd{device[-1]}"
        for name, device in _devices(stand).items()
    }
    up(realised, folder)
    assert set(realised.did) == {"same"}


def test_a_volume_does_not_shrink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SCENES["outscale"](tmp_path, monkeypatch) as scene:
        scene.up()
        scene.hosts["data-1"]["volumes"]["postgresql"] = "5GiB"
        with pytest.raises(SuiteError, match=r"can't become 5: volumes only grow|cannot become smaller"):
            scene.up()
        scene.hosts["data-1"]["volumes"]["postgresql"] = "10GiB"
        scene.up()
        assert set(RealisingStack.did.values()) == {"same"}


def _devices(stand: Bench) -> dict[str, str]:
    """Name of a data volume → its device, as the API shows them."""
    return {
        next(tag["Value"] for tag in item["Tags"] if tag["Key"] == "Name"): item["LinkedVolumes"][0]["DeviceName"]
        for item in stand.cloud.living("Volume")
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_while_something_bent_is_put_right_is_none(stand: Bench, tmp_path: Path, kind: faults.Kind) -> None:
    """A route that leads elsewhere, and a subnet that uses another table."""
    realised, folder = Realised(stand.engine), inventory(tmp_path, stand.server.endpoint)
    up(realised, folder)
    cloud = stand.cloud
    tables = {item["RouteTableId"]: item for item in cloud.living("RouteTable") if _own(item)}
    other = cloud.carry_out("CreateRouteTable", {"NetId": cloud.living("Net")[0]["NetId"]})["RouteTable"][
        "RouteTableId"
    ]
    for id_, table in tables.items():
        route = next(route for route in table["Routes"] if route["DestinationIpRange"] == "0.0.0.0/0")
        cloud.carry_out("CreateRoute", {"RouteTableId": id_, "DestinationIpRange": "198.51.100.0/24", **_way(route)})
        (link,) = _own(table)
        cloud.carry_out("UnlinkRouteTable", {"LinkRouteTableId": link["LinkRouteTableId"]})
        cloud.carry_out("LinkRouteTable", {"RouteTableId": other, "SubnetId": link["SubnetId"]})
    stand.server.faults = [Fault("DeleteRoute", kind, times=2), Fault("UnlinkRouteTable", kind, times=2)]
    up(realised, folder)
    assert not [fault.action for fault in stand.server.faults if fault.times], "every fault struck"
    for id_ in tables:
        table = cloud.things[id_].data
        assert {route["DestinationIpRange"] for route in table["Routes"]} == {"10.64.0.0/24", "0.0.0.0/0"}
        assert len(_own(table)) == 1
    assert not cloud.things[other].data["LinkRouteTables"]


def _own(table: dict[str, Any]) -> list[dict[str, Any]]:
    return [link for link in table["LinkRouteTables"] if not link["Main"]]


def _way(route: dict[str, Any]) -> dict[str, Any]:
    return {key: route[key] for key in ("GatewayId", "NatServiceId") if key in route}


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_in_every_removal_leaves_nothing(stand: Bench, tmp_path: Path, kind: faults.Kind) -> None:
    realised, folder = Realised(stand.engine), inventory(tmp_path, stand.server.endpoint)
    up(realised, folder)
    stand.server.faults = [Fault(action, kind) for action in REMOVING]
    realised.destroy(with_data=True)
    assert not [fault.action for fault in stand.server.faults if fault.times], "every fault struck"
    assert not {kind: stand.cloud.living(kind) for kind in (*ONE_EACH, "Keypair") if stand.cloud.living(kind)}
