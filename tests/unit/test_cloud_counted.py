# SPDX-License-Identifier: MIT
"""Every type of resource that a program may register is counted against the quota, or left out for a written reason."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from suite_deploy.cloud import openstack_room, outscale_room
from suite_deploy.cloud.counted import COUNTED, NOT_COUNTED
from suite_deploy.cloud.need import Size, needs
from suite_deploy.cloud.plan import Step
from suite_deploy.cloud.room import Left
from suite_deploy.paths import resource_root

ALLOWED = sorted(
    yaml.safe_load((resource_root() / "policies" / "pack" / "resource-types.yml").read_text(encoding="utf-8"))["types"]
)
FLAVORS = {"b3-8": Size("b3-8", 2, 8000)}


def created(type: str, **inputs: Any) -> Step:
    return Step("create", type, f"urn::{type}", type, inputs=inputs)


#: the engine's own, and components that only group others: nothing of them is in the cloud
GROUPING = ("pulumi:", "suite:")


@pytest.mark.parametrize("name", ALLOWED)
def test_every_allowed_type_is_decided(name: str) -> None:
    decided = name.startswith(GROUPING) or name in COUNTED or name in NOT_COUNTED
    assert decided, f"say in cloud/counted.py what {name} takes of the quota, or why nothing"


def test_nothing_is_decided_twice_or_for_a_type_that_may_not_be_made() -> None:
    assert not COUNTED.keys() & NOT_COUNTED.keys()
    assert (COUNTED.keys() | NOT_COUNTED.keys()) <= set(ALLOWED)
    assert all(why.strip() for why in NOT_COUNTED.values())


def test_every_limit_that_is_counted_is_asked_of_its_cloud() -> None:
    anything: Any = SimpleNamespace(**dict.fromkeys(_attributes(), 1))
    listed: Any = SimpleNamespace(
        network=SimpleNamespace(get_quota=lambda project, details: _Networks()), current_project_id="p"
    )
    openstack = (
        openstack_room._compute(anything).keys()
        | openstack_room._volumes(anything).keys()
        | openstack_room._networks(listed).keys()
    )
    asked = {
        "openstack": openstack,
        "ovh": openstack | {"gateways"},
        "pulumi-python": set(outscale_room._COUNTED.values()),
    }
    for type, names in COUNTED.items():
        assert set(names) <= asked[type.partition(":")[0]], type


def _attributes() -> tuple[str, ...]:
    limits = ("instances", "total_cores", "total_ram", "server_groups")
    volumes = ("max_total_volumes", "total_volumes_used", "max_total_volume_gigabytes", "total_gigabytes_used")
    return (*limits, *(f"{name}_used" for name in limits), *volumes)


class _Networks:
    def __getattr__(self, name: str) -> dict[str, int]:
        return {"limit": 10, "used": 0, "reserved": 0}


def test_a_router_interface_and_a_gateway_take_a_port() -> None:
    plan = [
        created("openstack:networking/port:Port"),
        created("openstack:networking/routerInterface:RouterInterface"),
        created("openstack:networking/floatingIp:FloatingIp"),
        created("openstack:networking/floatingIpAssociate:FloatingIpAssociate"),
    ]
    assert needs(plan, {})[0] == {"ports": 2, "public addresses": 1}, "an address's own port is the cloud's"
    gateway = [created("ovh:CloudProject/gateway:Gateway")]
    assert needs(gateway, {})[0] == {"gateways": 1, "ports": 1, "routers": 1}


def test_ovhclouds_network_is_counted_like_any() -> None:
    plan = [
        created("ovh:CloudProject/networkPrivate:NetworkPrivate", regions=["GRA11"]),
        created("ovh:CloudProject/networkPrivateSubnetV2:NetworkPrivateSubnetV2"),
        created("ovh:CloudProject/projectRegion:ProjectRegion"),
        created("ovh:CloudProject/storage:Storage"),
    ]
    assert needs(plan, {})[0] == {"networks": 1, "subnets": 1}


def test_a_boot_volume_counts_as_a_volume() -> None:
    boot = {"destinationType": "volume", "volumeSize": 20.0}
    host = created("openstack:compute/instance:Instance", flavorName="b3-8", blockDevices=[boot])
    assert needs([host], FLAVORS)[0] == {
        "hosts": 1,
        "vCPU": 2,
        "memory MiB": 8000,
        "volumes": 1,
        "volume GiB": 20,
    }


def test_outscale_is_asked_for_each_type_of_volume() -> None:
    dynamic = "pulumi-python:dynamic/outscale"
    plan = [
        created(f"{dynamic}:Vm", vmType="tinav6.c2r4p2", rootSize=20, rootType="gp2"),
        created(f"{dynamic}:Volume", size=100, volumeType="standard"),
        created(f"{dynamic}:Subnet"),
        created(f"{dynamic}:RouteTable"),
    ]
    counted, unknown = needs(plan, {})
    assert counted == {
        "hosts": 1,
        "vCPU": 2,
        "memory MiB": 4096,
        "volumes": 2,
        "volume GiB": 120,
        "gp2 volume GiB": 20,
        "standard volume GiB": 100,
    }
    assert unknown == []
    limits = [
        {"Name": "gp2_volume_size_limit", "MaxValue": 10, "UsedValue": 0},
        {"Name": "standard_volume_size_limit", "MaxValue": 500, "UsedValue": 1},
    ]
    left = outscale_room.left_of({"QuotaTypes": [{"QuotaType": "global", "Quotas": limits}]})
    assert left == {"gp2 volume GiB": Left(10, 0), "standard volume GiB": Left(500, 1)}
