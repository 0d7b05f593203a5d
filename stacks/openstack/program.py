# SPDX-License-Identifier: MIT
"""Deployment → resources on a cloud that speaks OpenStack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from stacks.components.entry import project_fact, unprotect
from stacks.components.openstack.buckets import Buckets, BucketsConfig
from stacks.components.openstack.hosts import BootImage, HostGroup, HostGroupConfig
from stacks.components.openstack.network import NetworkConfig, PrivateNetwork
from stacks.components.openstack.place import Place, provider
from stacks.components.openstack.records import Records, RecordsConfig
from stacks.components.openstack.security import SecurityConfig, SecurityGroups
from stacks.components.openstack.volumes import DataVolumes, VolumesConfig
from stacks.components.outputs import MadeHost, export
from stacks.components.spec import StackSpec, stack_spec
from stacks.openstack.image import boot_image
from stacks.openstack.lookup import Found, look_up, volume_zones
from suite_deploy.errors import CouldNotRun
from suite_deploy.model.deployment import Deployment
from suite_deploy.model.suite import OpenStack


def build(deployment: Deployment) -> None:
    """Register everything and export the outputs.

    Raises InvalidInput for names the cloud does not know, CouldNotRun for an inventory of another driver.
    """
    infrastructure = deployment.suite.infrastructure
    if not isinstance(infrastructure, OpenStack):
        raise CouldNotRun(f"the inventory's driver is {deployment.driver}; this program makes hosts for openstack")
    spec = stack_spec(deployment)
    cloud = provider(
        "openstack",
        auth_url=infrastructure.auth_url,
        region=infrastructure.region,
        endpoints=infrastructure.endpoints,
    )
    place = Place(cloud, spec.region, spec.suite, spec.tags, unprotect())
    found = look_up(deployment, spec, place)
    image = boot_image(deployment, place, found)
    hosts, volumes = _hosts(spec, place, found, image, volume_zones(deployment, spec, place))
    buckets = Buckets("suite", place, BucketsConfig.of(spec, infrastructure.object_store))
    if spec.dns and found.zone_id:
        address = hosts.hosts[spec.edge].public_address
        Records("suite", place, RecordsConfig(found.zone_id, spec.dns.names, spec.dns.ttl, address))
    made = {
        name: MadeHost(
            private_address=host.private_address,
            public_address=host.public_address,
            identity=host.id,
            volumes=volumes.devices[name],
        )
        for name, host in hosts.hosts.items()
    }
    facts = {"auth_url": infrastructure.auth_url, "image": image.id, "external_network": found.external_network.name}
    export(spec, made, buckets.credentials, facts | project_fact())


def _hosts(
    spec: StackSpec, place: Place, found: Found, image: BootImage, zones: Mapping[str, str | None]
) -> tuple[HostGroup, DataVolumes]:
    """zones: host → zone of its volumes."""
    network = PrivateNetwork(
        "private", place, NetworkConfig(spec.private_network, found.external_network.id, spec.resolvers)
    )
    groups = SecurityGroups("suite", place, SecurityConfig.of(spec))
    stored = tuple(replace(host, zone=zones[host.name]) for host in spec.hosts)
    volumes = DataVolumes("suite", place, VolumesConfig(stored, spec.volume_type))
    hosts = HostGroup(
        "suite",
        place,
        HostGroupConfig.of(
            spec,
            flavors=found.flavors,
            image=image,
            network=network,
            groups=groups.ids,
            external_network=found.external_network.name,
            volumes=volumes.volumes,
        ),
    )
    volumes.attach({name: host.server for name, host in hosts.hosts.items()})
    return hosts, volumes
