# SPDX-License-Identifier: MIT
"""Deployment → resources at Outscale."""

from __future__ import annotations

from typing import Any

import pulumi

from stacks.components.entry import unprotect
from stacks.components.outputs import MadeHost, export
from stacks.components.spec import StackSpec, stack_spec
from stacks.outscale.hosts import DataVolumes, HostGroup, HostGroupConfig, SecurityGroups
from stacks.outscale.image import boot_image
from stacks.outscale.network import NetworkConfig, PrivateNetwork
from stacks.outscale.place import Place, place_of
from stacks.outscale.providers import Bucket
from suite_deploy.errors import CouldNotRun
from suite_deploy.model.deployment import Deployment
from suite_deploy.model.suite import Outscale


def build(deployment: Deployment) -> None:
    """Register everything and export the outputs.

    Raises InvalidInput for what the inventory says wrong, CouldNotRun for an inventory of another driver.
    """
    infrastructure = deployment.suite.infrastructure
    if not isinstance(infrastructure, Outscale):
        raise CouldNotRun(f"the inventory's driver is {deployment.driver}; this program makes hosts for outscale")
    spec = stack_spec(deployment)
    place = place_of(deployment, spec, unprotect=unprotect())
    image = boot_image(deployment, place)
    network = PrivateNetwork("private", place, _network(spec, place))
    groups = SecurityGroups("suite", place, network.net_id, spec)
    hosts = HostGroup("suite", place, HostGroupConfig(spec, image, network, groups.ids))
    volumes = DataVolumes("suite", place, spec, hosts.hosts, bool(infrastructure.volumes.encrypted))
    Buckets("suite", place, spec)
    made = {
        name: MadeHost(
            private_address=host.private_address,
            public_address=host.public_address,
            identity=host.vm.id,
            volumes=volumes.devices[name],
        )
        for name, host in hosts.hosts.items()
    }
    export(spec, made, {}, {"endpoint": place.endpoint, "image": image})


class Buckets(pulumi.ComponentResource):
    """A bucket per component that needs one, where the inventory names the cloud's object store.

    Their keys are the operator's to supply: why, providers/bucket.py says.
    """

    def __init__(self, name: str, place: Place, spec: StackSpec, opts: Any = None) -> None:
        super().__init__("suite:storage:Buckets", name, None, opts)
        for bucket in spec.buckets:
            Bucket(
                f"bucket-{bucket.slug}",
                place.data_under(self),
                **{**place.common("bucket", bucket.slug), "endpoint": place.store},
                bucketName=bucket.name,
                versioning=bucket.versioning,
                corsOrigins=list(bucket.cors_origins),
                encryption="AES256",
                forceDestroy=place.unprotect,
            )
        self.register_outputs({})


def _network(spec: StackSpec, place: Place) -> NetworkConfig:
    zones = {host.name: place.zone(host.zone) for host in spec.hosts}
    hidden = sorted({zones[host.name] for host in spec.hosts if not host.public})
    # The NAT service stands in a public subnet, so there is one wherever hosts are.
    return NetworkConfig(spec.private_network, tuple(sorted(set(zones.values()))), tuple(hidden))
