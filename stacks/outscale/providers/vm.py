# SPDX-License-Identifier: MIT
"""Hosts."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from .base import LONG
from .client import Answer, Client
from .inputs import Inputs
from .power import powered_off, start, stop
from .resource import OutscaleResource
from .token import TokenProvider

ROOT_DEVICE = "/dev/sda1"
_FLAGLESS = re.compile(r"^tinav\d+\.c\d+r\d+$")


class VmInputs(Inputs):
    """vm_type: like tinav6.c4r16p2. root_size: GiB of the disk its system lies on. user_data: text for the first boot.

    image_id: what its disk is made of. Both only count when it is made: a newer image does not replace a host.
    """

    image_id: str = Field(pattern=r"^ami-[0-9a-f]+$")
    vm_type: str = Field(min_length=3)
    subnet_id: str
    subregion_name: str
    security_group_ids: tuple[str, ...] = Field(min_length=1)
    keypair_name: str
    user_data: str = Field(default="", max_length=300_000)
    root_size: int = Field(default=20, ge=10, le=14901)
    root_type: Literal["standard", "gp2", "io1"] = "gp2"


class VmProvider(TokenProvider[VmInputs]):
    kind = "VM"
    inputs = VmInputs
    fixed = frozenset(("region", "subnetId", "subregionName"))
    ignored = frozenset(("imageId", "userData", "rootSize", "rootType"))
    collection, filter, key = "Vms", "VmIds", "VmId"
    ready = frozenset(("running", "stopped"))
    limit = LONG

    def send(self, client: Client, inputs: VmInputs, token: str) -> Answer:
        disk = {"VolumeSize": inputs.root_size, "VolumeType": inputs.root_type, "DeleteOnVmDeletion": True}
        made: Answer = client.read(
            "CreateVms",
            ClientToken=token,
            ImageId=inputs.image_id,
            VmType=inputs.vm_type,
            SubnetId=inputs.subnet_id,
            Placement={"SubregionName": inputs.subregion_name},
            SecurityGroupIds=list(inputs.security_group_ids),
            KeypairName=inputs.keypair_name,
            UserData=base64.b64encode((_section(inputs.tags) + inputs.user_data).encode()).decode(),
            BlockDeviceMappings=[{"DeviceName": ROOT_DEVICE, "Bsu": disk}],
            MinVmsCount=1,
            MaxVmsCount=1,
        )["Vms"][0]
        return made

    def finish(self, client: Client, live: Answer, inputs: VmInputs) -> None:
        if live.get("State") == "stopped":
            start(client, self.id_of(live))

    def change(self, client: Client, live: Answer, old: Mapping[str, Any], new: VmInputs) -> None:
        id_ = self.id_of(live)
        if _groups(live) != sorted(new.security_group_ids):
            client.read("UpdateVm", VmId=id_, SecurityGroupIds=list(new.security_group_ids))
        if live.get("KeypairName") != new.keypair_name:
            client.read("UpdateVm", VmId=id_, KeypairName=new.keypair_name)
        if full_type(live.get("VmType")) != full_type(new.vm_type):
            with powered_off(client, id_):
                client.read("UpdateVm", VmId=id_, VmType=new.vm_type)

    def observed(self, live: Answer, given: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "vmType": live.get("VmType"),
            "subnetId": live.get("SubnetId"),
            "subregionName": (live.get("Placement") or {}).get("SubregionName"),
            "securityGroupIds": _groups(live),
            "keypairName": live.get("KeypairName"),
            "privateIp": live.get("PrivateIp"),
            "state": live.get("State"),
        }

    def same(self, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        if name == "vmType":
            return full_type(old.get(name)) == full_type(new.get(name))
        return super().same(name, old, new)

    def drifted(self, old: Mapping[str, Any]) -> bool:
        return old.get("state") == "stopped"

    def remove(self, client: Client, live: Answer, properties: Mapping[str, Any]) -> None:
        id_ = self.id_of(live)
        kept = [
            {
                "DeviceName": disk["DeviceName"],
                "Bsu": {"VolumeId": disk["Bsu"]["VolumeId"], "DeleteOnVmDeletion": False},
            }
            for disk in live.get("BlockDeviceMappings") or ()
            if disk.get("DeviceName") != live.get("RootDeviceName", ROOT_DEVICE)
            and disk["Bsu"].get("DeleteOnVmDeletion")
        ]
        if kept:
            # Data volumes outlive hosts, whatever somebody ticked in a console.
            client.read("UpdateVm", VmId=id_, BlockDeviceMappings=kept)
        # Stopped first: what is on its data volumes must be written out before they are taken away.
        stop(client, id_)
        client.read("DeleteVms", VmIds=[id_])


class Vm(OutscaleResource, module="outscale", name="Vm"):
    """A host."""

    provider = VmProvider()
    computed = ("privateIp", "state")


def full_type(vm_type: Any) -> Any:
    """A VM type as the API answers it: without a performance flag it means `p2`, and is shown with it.

    Source: https://docs.outscale.com/en/userguide/3DS-OUTSCALE-Offering-Refinements-(API-Behavior).html
    """
    return f"{vm_type}p2" if isinstance(vm_type, str) and _FLAGLESS.match(vm_type) else vm_type


def _section(tags: Mapping[str, str]) -> str:
    """Tags as Outscale's own part of the user data, which the guest is not shown.

    Where a host is placed is decided when it is made; tags added later would only count after a stop and start.
    Source: https://docs.outscale.com/en/userguide/Configuring-a-VM-with-User-Data-and-OUTSCALE-Tags.html
    """
    lines = (f"tags.{key}={value}" for key, value in sorted(tags.items()))
    head, end = "-----BEGIN OUTSCALE SECTION-----", "-----END OUTSCALE SECTION-----"
    return "\n".join((head, "filter_private_section=true", *lines, end, ""))


def _groups(live: Answer) -> list[str]:
    return sorted(str(group.get("SecurityGroupId")) for group in live.get("SecurityGroups") or ())
