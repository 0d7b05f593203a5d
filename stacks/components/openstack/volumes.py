# SPDX-License-Identifier: MIT
"""Data volumes: the engine keeps them, and hosts find them by a name that does not depend on the order of attaching."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import pulumi
from pulumi_openstack import blockstorage, compute

from stacks.components.openstack.place import PATIENCE, Place
from stacks.components.spec import HostSpec

T = TypeVar("T")


@dataclass(frozen=True)
class VolumesConfig:
    """hosts: whose `volumes` (kind → GiB) are made. volume_type: the cloud's own name, its default when None."""

    hosts: tuple[HostSpec, ...]
    volume_type: str | None = None


class DataVolumes(pulumi.ComponentResource):
    """A volume per host and kind, and once there are servers, its attachment. Outputs: volumes and devices.

    volumes: host → kind → volume. devices: host → kind → path on the host, empty until they are attached.
    """

    volumes: Mapping[str, Mapping[str, blockstorage.Volume]]
    devices: Mapping[str, Mapping[str, pulumi.Output[str]]]

    def __init__(self, name: str, place: Place, config: VolumesConfig, opts: pulumi.ResourceOptions | None = None):
        super().__init__("suite:storage:DataVolumes", name, None, opts)
        self._place, self._config = place, config
        self.volumes = {
            host.name: {kind: self._volume(host, kind, size) for kind, size in host.volumes.items()}
            for host in config.hosts
        }
        self.devices = {}

    def attach(self, servers: Mapping[str, compute.Instance]) -> None:
        """Attach every volume to the server of its host."""
        self.devices = {
            host: {kind: self._attached(host, kind, volume, servers[host]) for kind, volume in volumes.items()}
            for host, volumes in self.volumes.items()
        }
        self.register_outputs({"devices": {host: dict(kinds) for host, kinds in self.devices.items()}})

    def _volume(self, host: HostSpec, kind: str, size: int) -> blockstorage.Volume:
        place = self._place
        return blockstorage.Volume(
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

    def _attached(
        self, host: str, kind: str, volume: blockstorage.Volume, server: compute.Instance
    ) -> pulumi.Output[str]:
        place = self._place
        attachment = compute.VolumeAttach(
            f"attachment-{host}-{kind}",
            instance_id=_without_dependency(server.id),
            volume_id=volume.id,
            region=place.region,
            opts=place.under(
                self,
                # a server that goes is stopped and lets go of its volumes by itself; nothing is pulled out before
                deleted_with=server,
                delete_before_replace=True,
                custom_timeouts=PATIENCE,
            ),
        )
        return attachment.volume_id.apply(device)


def _without_dependency(value: pulumi.Output[T]) -> pulumi.Output[T]:
    """The same value, not said to be the resource's that it comes from.

    What depends on a resource by a property is deleted before that resource is deleted for being replaced, and engines
    before 3.260 do so for what is `deleted_with` it too: they would detach a volume from a running server. Source:
    https://github.com/pulumi/pulumi/pull/23818
    """
    future = _Later(lambda: cast(Awaitable[T], value.future(with_unknowns=True)))
    return pulumi.Output(set(), future, _Later(value.is_known), _Later(value.is_secret))


class _Later(Generic[T]):
    """Asked for when it is awaited: where an earlier one fails, nothing is left that nobody waits for."""

    def __init__(self, ask: Callable[[], Awaitable[T]]) -> None:
        self._ask = ask

    def __await__(self) -> Generator[Any, Any, T]:
        return self._ask().__await__()


def device(volume_id: str) -> str:
    """How the host sees a volume: the hypervisor gives the disk the first 20 characters of the id as its serial."""
    return f"/dev/disk/by-id/virtio-{volume_id[:20]}"
