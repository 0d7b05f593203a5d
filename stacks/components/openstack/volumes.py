# SPDX-License-Identifier: MIT
"""Data volumes: the engine keeps them, and hosts find them by a name that does not depend on the order of attaching."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_openstack import blockstorage, compute

from stacks.components.openstack.place import PATIENCE, Place
from stacks.components.spec import HostSpec


@dataclass(frozen=True)
class VolumesConfig:
    """hosts: whose `volumes` (kind → GiB) are made. servers: host → server id. volume_type: the cloud's own name."""

    hosts: tuple[HostSpec, ...]
    servers: Mapping[str, pulumi.Input[str]]
    volume_type: str | None = None


class DataVolumes(pulumi.ComponentResource):
    """A volume and its attachment per host and kind. Output: devices, host → kind → path on the host."""

    devices: Mapping[str, Mapping[str, pulumi.Output[str]]]

    def __init__(self, name: str, place: Place, config: VolumesConfig, opts: pulumi.ResourceOptions | None = None):
        super().__init__("suite:storage:DataVolumes", name, None, opts)
        self._place, self._config = place, config
        self.devices = {
            host.name: {kind: self._volume(host, kind, size) for kind, size in host.volumes.items()}
            for host in config.hosts
        }
        self.register_outputs({"devices": {host: dict(kinds) for host, kinds in self.devices.items()}})

    def _volume(self, host: HostSpec, kind: str, size: int) -> pulumi.Output[str]:
        place = self._place
        volume = blockstorage.Volume(
            f"volume-{host.name}-{kind}",
            name=place.called(host.name, kind),
            description=f"/srv/{kind} of {host.name}",
            size=size,
            volume_type=self._config.volume_type,
            availability_zone=host.zone,
            enable_online_resize=True,
            metadata=place.metadata(host=host.name, kind=kind),
            region=place.region,
            opts=place.data_under(self),
        )
        attachment = compute.VolumeAttach(
            f"attachment-{host.name}-{kind}",
            instance_id=self._config.servers[host.name],
            volume_id=volume.id,
            region=place.region,
            opts=place.under(self, delete_before_replace=True, custom_timeouts=PATIENCE),
        )
        return attachment.volume_id.apply(device)


def device(volume_id: str) -> str:
    """How the host sees a volume: the hypervisor gives the disk the first 20 characters of the id as its serial."""
    return f"/dev/disk/by-id/virtio-{volume_id[:20]}"
