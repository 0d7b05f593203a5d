# SPDX-License-Identifier: MIT
"""Hosts with their security groups, public addresses and data volumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from stacks.components.rules import EVERYONE, Inbound, Outbound
from stacks.components.spec import HostSpec, StackSpec
from stacks.components.userdata import user_data
from stacks.outscale.network import PrivateNetwork
from stacks.outscale.place import Place
from stacks.outscale.providers import Keypair, PublicIp, SecurityGroup, Vm, Volume, VolumeLink
from stacks.outscale.providers.volume import device_on_host

#: GiB and type of a system disk; said here, not left to the provider, so that quota and cost count it
ROOT_SIZE, ROOT_TYPE = 20, "gp2"
DESCRIPTION = "made by suite-deploy"
_EVERYTHING = {"protocol": "-1"}


class SecurityGroups(pulumi.ComponentResource):
    """A group per host with exactly the rules its components declare. Output: ids, host → group."""

    ids: Mapping[str, pulumi.Output[str]]

    def __init__(self, name: str, place: Place, net_id: pulumi.Input[str], spec: StackSpec, opts: Any = None) -> None:
        super().__init__("suite:network:SecurityGroups", name, None, opts)
        self.ids = {
            host.name: SecurityGroup(
                f"security-group-{host.name}",
                place.under(self),
                **place.common(host.name, "group"),
                netId=net_id,
                groupName=group_name(place, host.name),
                description=DESCRIPTION,
                inboundRules=[_rule(place, rule) for rule in host.inbound],
                outboundRules=[_EVERYTHING | {"ipRange": spec.private_network}, *map(_way_out, host.outbound)],
            ).id
            for host in spec.hosts
        }
        self.register_outputs({"ids": dict(self.ids)})


@dataclass(frozen=True)
class HostGroupConfig:
    """groups: host → id of its security group. image_id: what the system disks are made of."""

    spec: StackSpec
    image_id: str
    network: PrivateNetwork
    groups: Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True)
class Host:
    """A host as it was made; public_address is "" when it has none."""

    vm: Vm
    private_address: pulumi.Output[str]
    public_address: pulumi.Input[str]


class HostGroup(pulumi.ComponentResource):
    """The key pair, and per host a VM and, where wanted, a public address. Output: hosts, by name."""

    hosts: Mapping[str, Host]

    def __init__(self, name: str, place: Place, config: HostGroupConfig, opts: Any = None) -> None:
        super().__init__("suite:compute:HostGroup", name, None, opts)
        self._place, self._config = place, config
        key = Keypair(
            f"keypair-{name}",
            place.under(self),
            **place.common("key"),
            keypairName=place.called("suite-deploy"),
            publicKey=config.spec.ssh_public_key,
        )
        # its name, once it is there: hosts can't be made before
        known_as = pulumi.Output.all(key.id, key.out("keypairName")).apply(lambda parts: str(parts[1]))
        self.hosts = {host.name: self._host(host, known_as) for host in config.spec.hosts}
        self.register_outputs({host: made.private_address for host, made in self.hosts.items()})

    def _host(self, host: HostSpec, keypair: pulumi.Output[str]) -> Host:
        place, config, spec = self._place, self._config, self._config.spec
        zone = place.zone(host.zone)
        network = config.network
        exit_ = network.door if host.public else network.back_door
        vm = Vm(
            f"host-{host.name}",
            # its first boot needs the way out; later boots don't
            place.under(self, depends_on=[exit_] if exit_ is not None else None),
            # Outscale's own tag: hosts of one suite on different machines where there are enough
            **place.common(host.name, **{"osc.fcu.repulse_server": place.suite, "groups": ",".join(host.groups)}),
            imageId=config.image_id,
            vmType=host.flavor,
            rootSize=ROOT_SIZE,
            rootType=ROOT_TYPE,
            subnetId=(network.public if host.public else network.private)[zone],
            subregionName=zone,
            securityGroupIds=[config.groups[host.name]],
            keypairName=keypair,
            userData=user_data(
                hostname=host.name, user=spec.ssh_user, public_key=spec.ssh_public_key, ssh_port=spec.ssh_port
            ),
        )
        return Host(vm, vm.out("privateIp"), self._address(host, vm) if host.public else "")

    def _address(self, host: HostSpec, vm: Vm) -> pulumi.Output[str]:
        place = self._place
        address = PublicIp(f"address-{host.name}", place.under(self), **place.common(host.name, "address"), vmId=vm.id)
        shown: pulumi.Output[str] = address.out("publicIp")
        return shown


class DataVolumes(pulumi.ComponentResource):
    """A volume and its link per host and kind. Output: devices, host → kind → path on the host."""

    devices: Mapping[str, Mapping[str, pulumi.Output[str]]]

    def __init__(
        self,
        name: str,
        place: Place,
        spec: StackSpec,
        hosts: Mapping[str, Host],
        encrypted: bool,
        opts: Any = None,
    ) -> None:
        super().__init__("suite:storage:DataVolumes", name, None, opts)
        self._place, self._spec, self._encrypted = place, spec, encrypted
        self.devices = {
            host.name: {
                kind: self._volume(host, kind, size, hosts[host.name].vm) for kind, size in host.volumes.items()
            }
            for host in spec.hosts
        }
        self.register_outputs({"devices": dict(self.devices)})

    def _volume(self, host: HostSpec, kind: str, size: int, vm: Vm) -> pulumi.Output[str]:
        place = self._place
        volume = Volume(
            f"volume-{host.name}-{kind}",
            place.data_under(self),
            **place.common(host.name, kind, host=host.name, kind=kind),
            subregionName=place.zone(host.zone),
            size=size,
            volumeType=self._spec.volume_type or "gp2",
            encrypted=self._encrypted,
        )
        link = VolumeLink(
            f"volume-link-{host.name}-{kind}",
            # a host that goes shuts down and lets go of its volumes by itself
            place.under(self, deleted_with=vm),
            **place.common(host.name, kind, "link"),
            volumeId=volume.id,
            vmId=vm.id,
        )
        shown: pulumi.Output[str] = link.out("deviceName").apply(device_on_host)
        return shown


def group_name(place: Place, host: str) -> str:
    """Name of a host's security group; it never begins like an id (`sg-`)."""
    return f"hosts-of-{place.called(host)}"


def _way_out(rule: Outbound) -> dict[str, Any]:
    # By port only: groups know no names. Which names, edge and the hosts' packet filter decide.
    return {"protocol": rule.proto, "fromPortRange": rule.first, "toPortRange": rule.last, "ipRange": EVERYONE}


def _rule(place: Place, rule: Inbound) -> dict[str, Any]:
    head = {"protocol": rule.proto, "fromPortRange": rule.first, "toPortRange": rule.last}
    if rule.host:
        return {**head, "remoteGroupId": group_name(place, rule.host)}
    return {**head, "ipRange": rule.network}
