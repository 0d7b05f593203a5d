# SPDX-License-Identifier: MIT
"""The hosts: apart from each other, on a boot volume, with an address of their own inside and, if wanted, outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pulumi
from pulumi_openstack import compute, networking

from stacks.components.openstack.place import PATIENCE, Place
from stacks.components.spec import HostSpec, StackSpec
from stacks.components.userdata import user_data

#: GiB of a boot volume, where the image needs no larger one: system, container images and logs
BOOT_GIB = 20


@dataclass(frozen=True)
class BootImage:
    """What hosts boot from. gib: of the disk that it needs at least, 0 where nobody says."""

    id: pulumi.Input[str]
    gib: int = 0


class Attachable(Protocol):
    """A private network as hosts need it; exit: what has to be there before public addresses work."""

    @property
    def network_id(self) -> pulumi.Input[str]: ...

    @property
    def subnet_id(self) -> pulumi.Input[str]: ...

    @property
    def exit(self) -> pulumi.Resource | None: ...


@dataclass(frozen=True)
class HostGroupConfig:
    """What the hosts are made of. flavors: the inventory's name → the cloud's id. groups: host → security group id.

    public_key: what the account `ssh_user` accepts. volume_type: of boot volumes, the cloud's default when None.
    external_network: name of the network public addresses come from. exit: what has to be there before they work.
    volumes: host → its data volumes, which are made before it and so removed after it.
    """

    hosts: tuple[HostSpec, ...]
    flavors: Mapping[str, str]
    image: BootImage
    network_id: pulumi.Input[str]
    subnet_id: pulumi.Input[str]
    groups: Mapping[str, pulumi.Input[str]]
    external_network: str
    ssh_user: str
    ssh_port: int
    public_key: str
    exit: pulumi.Resource | None = None
    volume_type: str | None = None
    volumes: Mapping[str, Iterable[pulumi.Resource]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        spec: StackSpec,
        *,
        flavors: Mapping[str, str],
        image: BootImage,
        network: Attachable,
        groups: Mapping[str, pulumi.Input[str]],
        external_network: str,
        volumes: Mapping[str, Mapping[str, pulumi.Resource]],
    ) -> HostGroupConfig:
        """The hosts of a deployment on this network, of this image."""
        return cls(
            hosts=spec.hosts,
            flavors=flavors,
            image=image,
            network_id=network.network_id,
            subnet_id=network.subnet_id,
            groups=groups,
            external_network=external_network,
            exit=network.exit,
            ssh_user=spec.ssh_user,
            ssh_port=spec.ssh_port,
            public_key=spec.ssh_public_key,
            volume_type=spec.volume_type,
            volumes={host: kinds.values() for host, kinds in volumes.items()},
        )


@dataclass(frozen=True)
class Host:
    """A host as it was made; public_address is "" when it has none."""

    server: compute.Instance
    private_address: pulumi.Output[str]
    public_address: pulumi.Input[str]

    @property
    def id(self) -> pulumi.Output[str]:
        """The cloud's own."""
        return self.server.id


class HostGroup(pulumi.ComponentResource):
    """Server group, and per host a port, a server and, where wanted, a public address. Output: hosts, by name."""

    hosts: Mapping[str, Host]

    def __init__(self, name: str, place: Place, config: HostGroupConfig, opts: pulumi.ResourceOptions | None = None):
        super().__init__("suite:compute:HostGroup", name, None, opts)
        self._place, self._config = place, config
        apart = compute.ServerGroup(
            f"host-group-{name}",
            name=place.called(name),
            # a cloud with fewer machines than the suite has hosts still takes them
            policies="soft-anti-affinity",
            region=place.region,
            opts=place.under(self),
        )
        self.hosts = {host.name: self._host(host, apart) for host in config.hosts}
        self.register_outputs({host: made.private_address for host, made in self.hosts.items()})

    def _host(self, host: HostSpec, apart: compute.ServerGroup) -> Host:
        place, config = self._place, self._config
        port = networking.Port(
            f"port-{host.name}",
            name=place.called(host.name),
            network_id=config.network_id,
            admin_state_up=True,
            fixed_ips=[networking.PortFixedIpArgs(subnet_id=config.subnet_id)],
            security_group_ids=[config.groups[host.name]],
            region=place.region,
            tags=place.labels,
            opts=place.under(self),
        )
        server = compute.Instance(
            f"host-{host.name}",
            name=place.called(host.name),
            flavor_id=config.flavors[host.flavor],
            availability_zone=host.zone,
            block_devices=[
                compute.InstanceBlockDeviceArgs(
                    uuid=config.image.id,
                    source_type="image",
                    destination_type="volume",
                    volume_size=max(BOOT_GIB, config.image.gib),
                    volume_type=config.volume_type,
                    boot_index=0,
                    delete_on_termination=True,
                )
            ],
            networks=[compute.InstanceNetworkArgs(port=port.id)],
            scheduler_hints=[compute.InstanceSchedulerHintArgs(group=apart.id)],
            # the metadata service of a busy cloud may answer too late for the first boot
            config_drive=True,
            user_data=user_data(
                hostname=host.name, user=config.ssh_user, public_key=config.public_key, ssh_port=config.ssh_port
            ),
            stop_before_destroy=True,
            metadata=place.metadata(host=host.name, groups=",".join(host.groups)),
            region=place.region,
            opts=place.under(
                self,
                # nothing of theirs is used: a volume can only be removed once its server has let go of it
                depends_on=list(config.volumes.get(host.name, ())),
                # port and volumes go from the old server to the new one
                delete_before_replace=True,
                # both matter at the first boot only: a newer image or another key is no reason to lose a host
                ignore_changes=["userData", "blockDevices"],
                custom_timeouts=PATIENCE,
            ),
        )
        private = port.all_fixed_ips.apply(lambda addresses: addresses[0] if addresses else "")
        return Host(server, private, self._public_address(host, port) if host.public else "")

    def _public_address(self, host: HostSpec, port: networking.Port) -> pulumi.Output[str]:
        place, config = self._place, self._config
        address = networking.FloatingIp(
            f"address-{host.name}",
            pool=config.external_network,
            description=place.called(host.name),
            region=place.region,
            tags=place.labels,
            opts=place.under(self),
        )
        networking.FloatingIpAssociate(
            f"address-association-{host.name}",
            floating_ip=address.address,
            port_id=port.id,
            region=place.region,
            opts=place.under(
                self, depends_on=[config.exit] if config.exit is not None else None, delete_before_replace=True
            ),
        )
        return address.address
