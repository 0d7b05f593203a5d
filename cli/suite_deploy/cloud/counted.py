# SPDX-License-Identifier: MIT
"""What each type of resource takes of a cloud's quota; every type that a program may register is decided here."""

from __future__ import annotations

from collections.abc import Mapping

#: type → what one of it takes, one each; processors, memory and GiB come on top: need.py
COUNTED: Mapping[str, tuple[str, ...]] = {
    "openstack:networking/network:Network": ("networks",),
    # ports that the cloud makes for itself in a subnet (DHCP, metadata) are left out: how many is its own affair
    "openstack:networking/subnet:Subnet": ("subnets",),
    "openstack:networking/router:Router": ("routers",),
    # the router's foot in a subnet is a port of the project; its other one, outside, belongs to nobody
    "openstack:networking/routerInterface:RouterInterface": ("ports",),
    "openstack:networking/port:Port": ("ports",),
    "openstack:networking/secGroup:SecGroup": ("security groups",),
    "openstack:networking/secGroupRule:SecGroupRule": ("firewall rules",),
    # its port is the cloud's own, outside every quota: Neutron makes it without a project (l3_db, _create_floatingip)
    "openstack:networking/floatingIp:FloatingIp": ("public addresses",),
    "openstack:compute/serverGroup:ServerGroup": ("groups of separate hosts",),
    "openstack:compute/instance:Instance": ("hosts",),
    "openstack:blockstorage/volume:Volume": (),
    "ovh:CloudProject/networkPrivate:NetworkPrivate": ("networks",),
    "ovh:CloudProject/networkPrivateSubnetV2:NetworkPrivateSubnetV2": ("subnets",),
    # a router of OpenStack with a foot in the subnet; OVHcloud has a limit of its own besides
    "ovh:CloudProject/gateway:Gateway": ("gateways", "ports", "routers"),
    "pulumi-python:dynamic/outscale:Net": ("networks",),
    "pulumi-python:dynamic/outscale:InternetService": ("internet services",),
    "pulumi-python:dynamic/outscale:NatService": ("NAT services",),
    "pulumi-python:dynamic/outscale:SecurityGroup": ("security groups",),
    "pulumi-python:dynamic/outscale:PublicIp": ("public addresses",),
    "pulumi-python:dynamic/outscale:Vm": ("hosts",),
    "pulumi-python:dynamic/outscale:Volume": (),
}
_JOINS = "joins two things that are counted"
_NO_LIMIT = "the cloud names no limit for it"
_PER_NET = "limited within each Net, and this one is new"
#: type → why it is left out of the quota
NOT_COUNTED: Mapping[str, str] = {
    "openstack:networking/floatingIpAssociate:FloatingIpAssociate": _JOINS,
    "openstack:compute/volumeAttach:VolumeAttach": _JOINS,
    "openstack:objectstorage/container:Container": _NO_LIMIT,
    "openstack:identity/ec2CredentialV3:Ec2CredentialV3": _NO_LIMIT,
    "openstack:identity/applicationCredential:ApplicationCredential": _NO_LIMIT,
    "openstack:dns/recordSet:RecordSet": "limited within each zone; the cloud does not say how many are in use",
    "openstack:images/image:Image": "the store of images does not say what it would still take",
    "openstack:loadbalancer/loadBalancer:LoadBalancer": "no program of ours makes one",
    "ovh:CloudProject/projectRegion:ProjectRegion": "opens a region; what is in it is counted",
    "ovh:CloudProject/storage:Storage": _NO_LIMIT,
    "ovh:CloudProject/user:User": _NO_LIMIT,
    "ovh:CloudProject/s3Credential:S3Credential": _NO_LIMIT,
    "ovh:CloudProject/s3Policy:S3Policy": _NO_LIMIT,
    "ovh:Domain/zoneRecord:ZoneRecord": _NO_LIMIT,
    "pulumi-python:dynamic/outscale:Subnet": _PER_NET,
    "pulumi-python:dynamic/outscale:RouteTable": _PER_NET,
    "pulumi-python:dynamic/outscale:Keypair": _NO_LIMIT,
    "pulumi-python:dynamic/outscale:VolumeLink": _JOINS,
    "pulumi-python:dynamic/outscale:Bucket": _NO_LIMIT,
}


def taken_by(type: str) -> tuple[str, ...]:
    """What one resource of a type takes of the quota, one each."""
    return COUNTED.get(type, ())
