# SPDX-License-Identifier: MIT
"""The double's hosts, keys and volumes."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re

from .cloud import Cloud, Data
from .network import release
from .refusal import conflict, invalid, missing, state, too_many

ZONES = "abc"
_UPDATED = {"Size", "VolumeType", "Iops"}


class Hosts:
    """Key pairs and VMs."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def CreateKeypair(self, wanted: Data) -> Data:
        name = wanted["KeypairName"]
        if [item for item in self.cloud.all("Keypair") if item["KeypairName"] == name]:
            raise conflict("9011", "duplicate-key")
        words = base64.b64decode(wanted["PublicKey"]).decode().split()
        digest = hashlib.md5(base64.b64decode(words[1]), usedforsecurity=False).hexdigest()
        data = {"KeypairName": name, "KeypairType": words[0]}
        mark = ":".join(digest[index : index + 2] for index in range(0, 32, 2))
        return {"Keypair": self.cloud.add("Keypair", {**data, "KeypairFingerprint": mark})}

    def DeleteKeypair(self, wanted: Data) -> Data:
        self.cloud.forget(self.cloud.get("Keypair", wanted["KeypairId"])["KeypairId"])
        return {}

    def CreateVms(self, wanted: Data) -> Data:
        token = wanted.get("ClientToken")
        for other in self.cloud.all("Vm"):
            if token and other["ClientToken"] == token:
                return {"Vms": [self.cloud.shown(other["VmId"])]}
        if wanted["ImageId"] not in self.cloud.images:
            raise missing("5023", f"{wanted['ImageId']} does not exist")
        vm_type = self._full(wanted.get("VmType", ""))
        subnet = self.cloud.get("Subnet", wanted["SubnetId"])
        names = [item["KeypairName"] for item in self.cloud.all("Keypair")]
        if wanted.get("KeypairName") not in names:
            raise missing("5034", "no such key pair")
        groups = [self.cloud.get("SecurityGroup", group) for group in wanted["SecurityGroupIds"]]
        zone = wanted.get("Placement", {}).get("SubregionName", subnet["SubregionName"])
        if zone != subnet["SubregionName"]:
            raise invalid("4070", "the subnet is in another subregion")
        host = self.cloud.add(
            "Vm",
            {
                "ClientToken": token,
                "ImageId": wanted["ImageId"],
                "VmType": vm_type,
                "KeypairName": wanted["KeypairName"],
                "SubnetId": subnet["SubnetId"],
                "NetId": subnet["NetId"],
                "Placement": {"SubregionName": zone, "Tenancy": "default"},
                "SecurityGroups": _groups(groups),
                "PrivateIp": self._free(subnet),
                "UserData": wanted.get("UserData", ""),
                "RootDeviceName": "/dev/sda1",
                "BlockDeviceMappings": [],
                "State": "pending",
                "StateReason": "",
            },
            due="running",
        )
        return {"Vms": [host]}

    def UpdateVm(self, wanted: Data) -> Data:
        host = self.cloud.get("Vm", wanted["VmId"])
        if "VmType" in wanted:
            vm_type = self._full(wanted["VmType"])
            if host["State"] != "stopped":
                raise state("6006", "the VM must be stopped")
            host["VmType"] = vm_type
        if "SecurityGroupIds" in wanted:
            host["SecurityGroups"] = _groups(
                [self.cloud.get("SecurityGroup", one) for one in wanted["SecurityGroupIds"]]
            )
        if "KeypairName" in wanted:
            host["KeypairName"] = wanted["KeypairName"]
        for disk in wanted.get("BlockDeviceMappings", []):
            for mapping in host["BlockDeviceMappings"]:
                if mapping["DeviceName"] == disk["DeviceName"]:
                    mapping["Bsu"]["DeleteOnVmDeletion"] = disk["Bsu"]["DeleteOnVmDeletion"]
        return {"Vm": self.cloud.shown(host["VmId"])}

    def StopVms(self, wanted: Data) -> Data:
        hosts = [self.cloud.get("Vm", one) for one in wanted["VmIds"]]
        for host in hosts:
            if host["State"] != "running" and not wanted.get("ForceStop"):
                raise state("6006", f"the VM is {host['State']}")
            host["State"] = "stopping"
            if wanted.get("ForceStop") or host["VmId"] not in self.cloud.stubborn:
                self.cloud.later(host["VmId"], "stopped")
            self._lose_address(host["VmId"])
        return {"Vms": [_change(host, "running") for host in hosts]}

    def StartVms(self, wanted: Data) -> Data:
        hosts = [self.cloud.get("Vm", one) for one in wanted["VmIds"]]
        for host in hosts:
            if host["State"] != "stopped":
                raise state("6006", f"the VM is {host['State']}")
            host["State"] = "pending"
            self.cloud.later(host["VmId"], "running")
        return {"Vms": [_change(host, "stopped") for host in hosts]}

    def DeleteVms(self, wanted: Data) -> Data:
        hosts = [self.cloud.get("Vm", one) for one in wanted["VmIds"]]
        for host in hosts:
            for disk in host["BlockDeviceMappings"]:
                volume = self.cloud.things[disk["Bsu"]["VolumeId"]]
                if disk["Bsu"]["DeleteOnVmDeletion"]:
                    self.cloud.forget(disk["Bsu"]["VolumeId"])
                else:
                    volume.data.update(State="available", LinkedVolumes=[])
            host["State"] = "shutting-down"
            self._lose_address(host["VmId"])
            self.cloud.later(host["VmId"], "terminated")
        return {"Vms": [_change(host, "stopped") for host in hosts]}

    def _full(self, vm_type: str) -> str:
        """A type with its performance flag, which is "high" when none is asked for."""
        full = vm_type if re.search(r"p\d$", vm_type) else f"{vm_type}p2"
        if full not in self.cloud.vm_types:
            raise missing("5024", "no-such-instance-type")
        return full

    def _lose_address(self, host: str) -> None:
        for address in self.cloud.all("PublicIp"):
            if address.get("VmId") == host:
                release(self.cloud, address)

    def _free(self, subnet: Data) -> str:
        used = {host["PrivateIp"] for host in self.cloud.living("Vm")}
        hosts = list(ipaddress.IPv4Network(subnet["IpRange"]).hosts())[3:]
        return next(str(one) for one in hosts if str(one) not in used)


class Volumes:
    """Volumes and their links."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def CreateVolume(self, wanted: Data) -> Data:
        for other in self.cloud.all("Volume"):
            if wanted.get("ClientToken") and other["ClientToken"] == wanted["ClientToken"]:
                return {"Volume": self.cloud.shown(other["VolumeId"])}
        if wanted["SubregionName"] not in {f"{self.cloud.region}{letter}" for letter in ZONES}:
            raise missing("5065", f"no subregion {wanted['SubregionName']}")
        if wanted["Size"] > 14901:
            raise too_many("10024", "too-much-volume-size")
        data = {
            "ClientToken": wanted.get("ClientToken"),
            "SubregionName": wanted["SubregionName"],
            "Size": wanted["Size"],
            "VolumeType": wanted.get("VolumeType", "standard"),
            "Iops": wanted.get("Iops", 150),
            "LinkedVolumes": [],
            "State": "creating",
        }
        return {"Volume": self.cloud.add("Volume", data, due="available")}

    def UpdateVolume(self, wanted: Data) -> Data:
        volume = self.cloud.get("Volume", wanted["VolumeId"])
        if wanted.get("Size", volume["Size"]) < volume["Size"]:
            raise invalid("4125", "a volume cannot shrink")
        # "not instantaneous, the response displays the previous value", says the description
        self.cloud.later(volume["VolumeId"], {key: wanted[key] for key in _UPDATED & wanted.keys()})
        return {"Volume": self.cloud.shown(volume["VolumeId"])}

    def LinkVolume(self, wanted: Data) -> Data:
        volume, host = self.cloud.get("Volume", wanted["VolumeId"]), self.cloud.get("Vm", wanted["VmId"])
        if volume["State"] != "available":
            raise state("6007", f"the volume is {volume['State']}")
        if host["Placement"]["SubregionName"] != volume["SubregionName"]:
            raise conflict("9071", "zone-mismatch")
        if [disk for disk in host["BlockDeviceMappings"] if disk["DeviceName"] == wanted["DeviceName"]]:
            raise conflict("9003", "device-conflict")
        link = {"DeviceName": wanted["DeviceName"], "VmId": host["VmId"], "VolumeId": volume["VolumeId"]}
        volume["LinkedVolumes"] = [{**link, "State": "attaching", "DeleteOnVmDeletion": False}]
        volume["State"] = "in-use"
        self.cloud.later(volume["VolumeId"], "in-use")
        bsu = {"VolumeId": volume["VolumeId"], "DeleteOnVmDeletion": False, "State": "attached"}
        host["BlockDeviceMappings"].append({"DeviceName": wanted["DeviceName"], "Bsu": bsu})
        return {}

    def UnlinkVolume(self, wanted: Data) -> Data:
        volume = self.cloud.get("Volume", wanted["VolumeId"])
        if not volume["LinkedVolumes"]:
            raise conflict("9063", "volume-not-in-use")
        link = volume["LinkedVolumes"][0]
        host = self.cloud.things[link["VmId"]].data
        if host["State"] == "running":
            raise state("6006", "the double refuses to pull a volume from a running host: that destroys data")
        kept = [disk for disk in host["BlockDeviceMappings"] if disk["DeviceName"] != link["DeviceName"]]
        host["BlockDeviceMappings"] = kept
        link["State"] = "detaching"
        self.cloud.later(volume["VolumeId"], "detached")
        return {}

    def DeleteVolume(self, wanted: Data) -> Data:
        volume = self.cloud.get("Volume", wanted["VolumeId"])
        if volume["LinkedVolumes"]:
            raise state("6007", "the volume is in use")
        self.cloud.forget(volume["VolumeId"])
        return {}


def _groups(groups: list[Data]) -> list[Data]:
    return [{key: group[key] for key in ("SecurityGroupId", "SecurityGroupName")} for group in groups]


def _change(host: Data, before: str) -> Data:
    return {"VmId": host["VmId"], "CurrentState": host["State"], "PreviousState": before}
