# SPDX-License-Identifier: MIT
"""Data volumes at Outscale: which letter they get in a host, and when they leave it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from stacks.outscale.providers.vm import VmProvider
from stacks.outscale.providers.volume import VolumeLinkProvider, VolumeProvider
from tests.stacks.outscale_double.bench import ZONE, bench
from tests.stacks.outscale_double.engine import Refused
from tests.stacks.outscale_double.tenant import Tenant


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with bench() as made:
        yield Tenant(made)


def test_volumes_linked_at_the_same_time_each_get_a_letter(tenant: Tenant) -> None:
    host = tenant.stand.engine.create(VmProvider(), tenant.of_vm())
    names = [f"data-{number}" for number in range(4)]
    volumes = {name: tenant.make(VolumeProvider(), name, subregionName=ZONE, size=10).id for name in names}
    # somebody else's comes between looking and linking
    tenant.stand.cloud.things[host.id].data["BlockDeviceMappings"].append(
        {"DeviceName": "/dev/sdb", "Bsu": {"VolumeId": "vol-other", "DeleteOnVmDeletion": False}}
    )

    def linked(name: str) -> str:
        made = tenant.make(VolumeLinkProvider(), f"{name}-link", volumeId=volumes[name], vmId=host.id)
        return str(made.outs["deviceName"])

    with ThreadPoolExecutor(4) as pool:
        found = sorted(pool.map(linked, names))
    assert found == ["/dev/xvdc", "/dev/xvdd", "/dev/xvde", "/dev/xvdf"]


def test_a_letter_that_the_vm_did_not_show_as_taken_is_left_to_whoever_has_it(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = tenant.stand.engine.create(VmProvider(), tenant.of_vm())
    volume = tenant.make(VolumeProvider(), "data", subregionName=ZONE, size=10)
    taken = {"DeviceName": "/dev/xvdb", "Bsu": {"VolumeId": "vol-other", "DeleteOnVmDeletion": False}}
    carry_out = tenant.stand.cloud.carry_out

    def late(action: str, parameters: dict[str, Any]) -> Any:
        if action == "LinkVolume":
            tenant.stand.cloud.things[host.id].data["BlockDeviceMappings"] = [taken]
        answer = carry_out(action, parameters)
        for vm in answer.get("Vms", ()) if action == "ReadVms" else ():
            vm["BlockDeviceMappings"] = []
        return answer

    monkeypatch.setattr(tenant.stand.cloud, "carry_out", late)
    link = tenant.make(VolumeLinkProvider(), "link", volumeId=volume.id, vmId=host.id)
    assert link.outs["deviceName"] == "/dev/xvdc"


def test_a_vm_without_a_free_letter_is_said(tenant: Tenant) -> None:
    host = tenant.stand.engine.create(VmProvider(), tenant.of_vm())
    volume = tenant.make(VolumeProvider(), "data", subregionName=ZONE, size=10)
    tenant.stand.cloud.things[host.id].data["BlockDeviceMappings"] = [
        {"DeviceName": f"/dev/xvd{letter}", "Bsu": {"VolumeId": "vol-other", "DeleteOnVmDeletion": False}}
        for letter in "bcdefghijklmnopqrstuvwxyz"
    ]
    with pytest.raises(Refused, match="takes no more volumes: each of its 25 device names is in use"):
        tenant.make(VolumeLinkProvider(), "link", volumeId=volume.id, vmId=host.id)


def test_data_volumes_outlive_their_host(tenant: Tenant) -> None:
    engine, given = tenant.stand.engine, tenant.of_vm()
    host = engine.create(VmProvider(), given)
    volume = tenant.make(VolumeProvider(), "data", subregionName=ZONE, size=10)
    link = tenant.make(VolumeLinkProvider(), "link", volumeId=volume.id, vmId=host.id)
    disk = {"DeviceName": "/dev/xvdb", "Bsu": {"VolumeId": volume.id, "DeleteOnVmDeletion": True}}
    # what somebody may tick in a console
    tenant.stand.cloud.carry_out("UpdateVm", {"VmId": host.id, "BlockDeviceMappings": [disk]})
    engine.delete(VmProvider(), host)
    assert [item["VolumeId"] for item in tenant.stand.cloud.living("Volume")] == [volume.id]
    assert engine.read(VolumeLinkProvider(), link) is None


def test_a_volume_is_never_pulled_from_a_running_host(tenant: Tenant) -> None:
    """The double refuses that outright: the file system on it would be torn."""
    engine = tenant.stand.engine
    host = engine.create(VmProvider(), tenant.of_vm())
    volume = tenant.make(VolumeProvider(), "data", subregionName=ZONE, size=10)
    link = tenant.make(VolumeLinkProvider(), "link", volumeId=volume.id, vmId=host.id)
    engine.delete(VolumeLinkProvider(), link)
    (there,) = tenant.stand.cloud.living("Vm")
    assert there["State"] == "running" and not there["BlockDeviceMappings"]


def test_a_volume_that_somebody_moved_to_another_host_is_left_there_at_once(tenant: Tenant) -> None:
    engine, given = tenant.stand.engine, tenant.of_vm()
    host = engine.create(VmProvider(), given)
    other = {**given, "tags": tenant.stand.common("app-2")["tags"]}
    theirs = engine.create(VmProvider(), other)
    volume = tenant.make(VolumeProvider(), "data", subregionName=ZONE, size=10)
    link = tenant.make(VolumeLinkProvider(), "link", volumeId=volume.id, vmId=host.id)
    carry_out = tenant.stand.cloud.carry_out
    carry_out("StopVms", {"VmIds": [host.id]})
    carry_out("UnlinkVolume", {"VolumeId": volume.id})
    carry_out("LinkVolume", {"VolumeId": volume.id, "VmId": theirs.id, "DeviceName": "/dev/xvdc"})
    assert engine.read(VolumeLinkProvider(), link) is None, "a refresh takes theirs for ours otherwise, and cuts it"
    with pytest.raises(Refused, match=f"is attached to {theirs.id}, not to {host.id}: detach it there first"):
        tenant.make(VolumeLinkProvider(), "link", volumeId=volume.id, vmId=host.id)
    begun = time.monotonic()
    engine.delete(VolumeLinkProvider(), link)
    assert time.monotonic() - begun < 5, "nothing to wait for: limits are in minutes"
    (kept,) = tenant.stand.cloud.living("Volume")
    assert [item["VmId"] for item in kept["LinkedVolumes"]] == [theirs.id]
    assert tenant.stand.server.count("UnlinkVolume") == 0


def test_a_volume_of_another_host_is_not_taken(tenant: Tenant) -> None:
    engine, given = tenant.stand.engine, tenant.of_vm()
    host = engine.create(VmProvider(), given)
    volume = tenant.make(VolumeProvider(), "data", subregionName=ZONE, size=10)
    tenant.make(VolumeLinkProvider(), "link", volumeId=volume.id, vmId=host.id)
    with pytest.raises(Refused, match=f"is attached to {host.id}, not to i-other"):
        tenant.make(VolumeLinkProvider(), "link2", volumeId=volume.id, vmId="i-other")
    with pytest.raises(Refused, match="detach it first, nothing was removed"):
        engine.delete(VolumeProvider(), volume)
