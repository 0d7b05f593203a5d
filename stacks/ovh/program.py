# SPDX-License-Identifier: MIT
"""Deployment → resources on OVHcloud's public cloud: hosts and volumes by OpenStack, network and buckets by its own."""

from __future__ import annotations

from dataclasses import replace

import pulumi

from stacks.components.entry import project_fact, unprotect
from stacks.components.openstack.hosts import BootImage, HostGroup, HostGroupConfig
from stacks.components.openstack.place import Place
from stacks.components.openstack.place import provider as openstack_provider
from stacks.components.openstack.security import SecurityConfig, SecurityGroups
from stacks.components.openstack.volumes import DataVolumes, VolumesConfig
from stacks.components.outputs import MadeHost, export
from stacks.components.spec import StackSpec, stack_spec
from stacks.openstack.image import boot_image
from stacks.openstack.lookup import Found, look_up
from stacks.ovh.buckets import Buckets, BucketsConfig
from stacks.ovh.network import VrackConfig, VrackNetwork, vlan_of
from stacks.ovh.place import Project, open_region, provider
from stacks.ovh.records import Records, records_config
from stacks.ovh.zones import placed
from suite_deploy.cloud.driver import AGAIN
from suite_deploy.errors import CouldNotRun
from suite_deploy.model.deployment import Deployment
from suite_deploy.model.suite import Ovh

#: the network that public addresses come from, in every region
EXTERNAL_NETWORK = "Ext-Net"


def build(deployment: Deployment) -> None:
    """Register everything and export the outputs.

    Raises InvalidInput for names and zones the cloud does not know, CouldNotRun for an inventory of another driver.
    """
    infrastructure = deployment.suite.infrastructure
    if not isinstance(infrastructure, Ovh):
        raise CouldNotRun(f"the inventory's driver is {deployment.driver}; this program makes hosts for ovh")
    # What is wrong in the inventory is said before a region is opened for it, which is when sizes can be chosen.
    spec = placed(deployment, stack_spec(_as_if_sized(deployment)))
    cloud = openstack_provider(
        "openstack", auth_url=infrastructure.sign_in, region=infrastructure.region, endpoints=infrastructure.endpoints
    )
    place = Place(cloud, spec.region, spec.suite, spec.tags, unprotect())
    project = Project(infrastructure.project, provider(infrastructure.endpoint), place)
    if open_region(project) is not None:
        pulumi.log.warn(
            f"the region {spec.region} has to be opened for the project first; the rest of the plan follows"
        )
        pulumi.export(AGAIN, f"the region {spec.region} was opened")
        return
    spec = placed(deployment, stack_spec(deployment))
    found = look_up(deployment, spec, place, external_network=EXTERNAL_NETWORK)
    image = boot_image(deployment, place, found)
    vlan = infrastructure.vlan or vlan_of(spec.suite)
    network = VrackNetwork("private", project, VrackConfig(spec.private_network, vlan, spec.resolvers))
    hosts, volumes = _hosts(spec, place, found, image, network)
    store = infrastructure.object_store
    buckets = Buckets("suite", project, BucketsConfig(spec.buckets, store.region.upper() if store else ""))
    if spec.dns:
        edge = hosts.hosts[spec.edge].public_address
        Records("suite", project, records_config(deployment, project, spec.dns, edge))
    made = {
        name: MadeHost(
            private_address=host.private_address,
            public_address=host.public_address,
            identity=host.id,
            volumes=volumes.devices[name],
        )
        for name, host in hosts.hosts.items()
    }
    facts = {"auth_url": infrastructure.sign_in, "project": infrastructure.project, "image": image.id}
    export(spec, made, buckets.credentials, facts | project_fact())


def _as_if_sized(deployment: Deployment) -> Deployment:
    """Derived hosts have no flavor until the cloud could be asked what it has."""
    hosts = (replace(host, flavor=host.flavor or "not chosen yet") if host.vcpus else host for host in deployment.hosts)
    return replace(deployment, hosts=tuple(hosts))


def _hosts(
    spec: StackSpec, place: Place, found: Found, image: BootImage, network: VrackNetwork
) -> tuple[HostGroup, DataVolumes]:
    groups = SecurityGroups("suite", place, SecurityConfig.of(spec))
    volumes = DataVolumes("suite", place, VolumesConfig(spec.hosts, spec.volume_type))
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
