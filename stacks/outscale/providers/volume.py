# SPDX-License-Identifier: MIT
"""Data volumes, and their links to hosts. A volume knows no host, so that it outlives all of them."""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from .base import LONG, Provider
from .client import Answer, Client
from .errors import ApiError, OutscaleError
from .inputs import Inputs, has_unknown
from .power import powered_off
from .resource import OutscaleResource
from .token import TokenProvider

#: letters of /dev/xvd? for data volumes; a is the system's own disk
LETTERS = "bcdefghijklmnopqrstuvwxyz"
_DEVICE = re.compile(r"^/dev/(?:xvd|sd)([b-z])$")
#: one VM's links are made one by one: each takes the first letter that is free
_LINKING: dict[str, threading.Lock] = defaultdict(threading.Lock)


class VolumeInputs(Inputs):
    """size: GiB. volume_type: Outscale's name. iops: only for io1.

    encrypted: what the inventory declares and policies judge; the API has no such property and is not told.
    """

    subregion_name: str
    size: int = Field(ge=1, le=14901)
    volume_type: Literal["standard", "gp2", "io1"] = "gp2"
    iops: int | None = Field(default=None, ge=100, le=13000)
    encrypted: bool = False

    @model_validator(mode="after")
    def _complete(self) -> VolumeInputs:
        """The API takes no io1 volume without a number of operations."""
        if self.volume_type == "io1" and self.iops is None:
            raise ValueError("a volume of type io1 needs iops. Accepted without: gp2, standard")
        return self


class VolumeProvider(TokenProvider[VolumeInputs]):
    kind = "volume"
    inputs = VolumeInputs
    fixed = frozenset(("region", "subregionName"))
    ignored = frozenset(("encrypted",))
    collection, filter, key = "Volumes", "VolumeIds", "VolumeId"
    ready = frozenset(("available", "in-use"))
    # The API grows a volume, or moves it to another type, after it has answered.
    limit = LONG

    def send(self, client: Client, inputs: VolumeInputs, token: str) -> Answer:
        made: Answer = client.read(
            "CreateVolume",
            SubregionName=inputs.subregion_name,
            Size=inputs.size,
            VolumeType=inputs.volume_type,
            Iops=inputs.iops if inputs.volume_type == "io1" else None,
            ClientToken=token,
        )["Volume"]
        return made

    def impossible(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, str]]:
        before, after = old.get("size"), new.get("size")
        if isinstance(before, (int, float)) and isinstance(after, (int, float)) and after < before:
            # Replacing it would lose the data, so it is refused rather than planned.
            return [("size", f"is {before:.0f} GiB and can't become {after:.0f}: volumes only grow. Make a new one")]
        return []

    def change(self, client: Client, live: Answer, old: Mapping[str, Any], new: VolumeInputs) -> None:
        wanted: dict[str, Any] = {}
        if new.size > int(live.get("Size") or 0):
            wanted["Size"] = new.size
        if new.volume_type != live.get("VolumeType"):
            wanted["VolumeType"] = new.volume_type
        if new.volume_type == "io1" and new.iops and (wanted.get("VolumeType") or new.iops != live.get("Iops")):
            wanted["Iops"] = new.iops
        if wanted:
            client.read("UpdateVolume", VolumeId=live["VolumeId"], **wanted)

    def observed(self, live: Answer, given: Mapping[str, Any]) -> dict[str, Any]:
        shown = {
            "subregionName": live.get("SubregionName"),
            "size": live.get("Size"),
            "volumeType": live.get("VolumeType"),
        }
        return {**shown, "iops": live.get("Iops")} if given.get("iops") else shown

    def same(self, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        # Somebody who made it larger did no harm: it can't shrink again.
        if name == "size" and old.get(name) and new.get(name) and not has_unknown(new[name]):
            return float(old[name]) >= float(new[name])
        return super().same(name, old, new)

    def remove(self, client: Client, live: Answer, properties: Mapping[str, Any]) -> None:
        links = [link for link in live.get("LinkedVolumes") or () if link.get("State") != "detached"]
        if links:
            raise OutscaleError(
                f"volume {live['VolumeId']} is attached to {links[0].get('VmId')}: detach it first, nothing was removed"
            )
        client.read("DeleteVolume", VolumeId=live["VolumeId"])


class VolumeLinkInputs(Inputs):
    """Which volume, and which host it is for."""

    volume_id: str
    vm_id: str


class VolumeLinkProvider(Provider[VolumeLinkInputs]):
    """The letter a volume gets is the first one free when it is linked, and stays: others that come or go move none."""

    kind = "volume link"
    inputs = VolumeLinkInputs
    fixed = frozenset(("region", "volumeId", "vmId"))
    # It has no tags of its own in the API.
    ignored = frozenset(("tags",))
    collection, filter, key = "Volumes", "VolumeIds", "VolumeId"
    ready = frozenset(("in-use",))
    limit = LONG

    def find(self, client: Client, inputs: VolumeLinkInputs) -> Answer | None:
        live = super().known(client, inputs.volume_id)
        if live is None:
            raise OutscaleError(f"volume {inputs.volume_id} does not exist; run it again with a refresh")
        link = _link(live)
        if not link:
            return None
        if link.get("VmId") != inputs.vm_id:
            raise OutscaleError(
                f"volume {inputs.volume_id} is attached to {link.get('VmId')}, not to {inputs.vm_id}: "
                "detach it there first, two hosts writing to one volume would destroy it"
            )
        return live

    def make(self, client: Client, inputs: VolumeLinkInputs) -> Answer:
        with _LINKING[inputs.vm_id]:
            tried: set[str] = set()
            while not self._linked(client, inputs, tried):
                pass
        return {"VolumeId": inputs.volume_id}

    def _linked(self, client: Client, inputs: VolumeLinkInputs, tried: set[str]) -> bool:
        """Whether the volume is linked now; False where the letter was somebody else's, which `tried` remembers."""
        letter = _free_letter(client, inputs.vm_id, tried)
        wanted = {"VolumeId": inputs.volume_id, "VmId": inputs.vm_id, "DeviceName": f"/dev/xvd{letter}"}
        try:
            client.settled(lambda: client.read("LinkVolume", **wanted))
        except ApiError as error:
            if not error.is_busy:
                raise
            # A lost answer, sent again: the first one did it.
            if self.find(client, inputs) is not None:
                return True
            if error.is_conflict:
                tried.add(letter)
                return False
            if client.patiently(lambda: self.find(client, inputs)) is None:
                raise
        return True

    def known(self, client: Client, id_: str) -> Answer | None:
        live = super().known(client, id_)
        return live if live is not None and _link(live) else None

    def observed(self, live: Answer, given: Mapping[str, Any]) -> dict[str, Any]:
        link = _link(live)
        return {"volumeId": live["VolumeId"], "vmId": link.get("VmId"), "deviceName": link.get("DeviceName")}

    def _tag(self, client: Client, live: Answer, inputs: VolumeLinkInputs) -> None:
        """The volume's tags are the volume's."""

    def _as_asked(self, live: Answer | None, inputs: VolumeLinkInputs) -> Answer | None:
        return live if live is not None and _link(live).get("State") == "attached" else None

    def is_others(self, live: Answer, properties: Mapping[str, Any]) -> bool:
        # Somebody moved the volume to another host: our link is gone, theirs is not ours to cut or to wait for.
        return bool(_link(live).get("VmId") != properties.get("vmId"))

    def remove(self, client: Client, live: Answer, properties: Mapping[str, Any]) -> None:
        link = _link(live)
        if link.get("State") == "detaching":
            return
        # A mounted volume is never pulled: its host is shut down properly, and started again.
        with powered_off(client, str(link["VmId"])):
            client.read("UnlinkVolume", VolumeId=live["VolumeId"])


class Volume(OutscaleResource, module="outscale", name="Volume"):
    """A disk for data."""

    provider = VolumeProvider()


class VolumeLink(OutscaleResource, module="outscale", name="VolumeLink"):
    """A disk's place in a host; deviceName: as the API shows it, /dev/xvdb to /dev/xvdz."""

    provider = VolumeLinkProvider()
    computed = ("deviceName",)


def device_on_host(device_name: str) -> str:
    """Where a Linux guest finds a volume linked as `device_name`, whatever the order of its disks.

    Source: outscale/osc-bsu-csi-driver, pkg/driver/node_test.go (/dev/xvdb is scsi-0QEMU_QEMU_HARDDISK_sdb).
    """
    return f"/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_sd{device_name.removeprefix('/dev/xvd')}"


def _free_letter(client: Client, vm: str, tried: set[str]) -> str:
    found = client.read("ReadVms", Filters={"VmIds": [vm]}).get("Vms") or [{}]
    names = [str(disk.get("DeviceName")) for disk in found[0].get("BlockDeviceMappings") or ()]
    taken = tried | {match[1] for name in names if (match := _DEVICE.match(name))}
    free = [letter for letter in LETTERS if letter not in taken]
    if not free:
        raise OutscaleError(f"VM {vm} takes no more volumes: each of its {len(LETTERS)} device names is in use")
    return free[0]


def _link(live: Answer) -> Answer:
    links = [link for link in live.get("LinkedVolumes") or () if link.get("State") != "detached"]
    return links[0] if links else {}
