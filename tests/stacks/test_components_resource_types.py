# SPDX-License-Identifier: MIT
"""The policies' list of resource types and what the programs register are the same list."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest

from suite_deploy.paths import user_cache
from suite_deploy.policy import coverage
from tests.stacks.archive import changes
from tests.stacks.conftest import MakeInventory
from tests.stacks.openstack_mocks import Cloud
from tests.stacks.outscale_mocks import Ids
from tests.stacks.ovh_mocks import Ovh, Zone
from tests.stacks.support import project_of, run_program

#: listed, and no program of ours registers it: type → why it stays
DELIBERATE = {
    "pulumi:pulumi:Stack": "the engine's own root",
    "pulumi:providers:pulumi-python": "the engine makes it for dynamic providers",
    "openstack:loadbalancer/loadBalancer:LoadBalancer": "QUA-004 tells a fork whether the label covers it",
    "suite:state:SecretsProvider": "`policy analyze` makes it from an exported state",
}
#: every component, every way to be reached, data volumes
HOSTS: dict[str, dict[str, Any]] = {
    "edge": {"groups": ["edge", "apps", "media"], "public": True},
    "data-1": {"groups": ["data"], "volumes": {"postgresql": "50GiB"}},
}
FLAVORS = {"openstack": "b3-16", "ovh": "b3-16", "outscale": "tinav6.c4r16p2"}
EVERYTHING: dict[str, Any] = {
    "profile": "dev",
    "components": {"keycloak": {}, "docs": {}, "meet": {}},
}


def settings(driver: str, **infrastructure: Any) -> dict[str, Any]:
    hosts = {name: {**host, "flavor": FLAVORS[driver]} for name, host in HOSTS.items()}
    given = {"hosts": hosts, "object_store": {"endpoint": "https://s3.example", "region": "r"}, **infrastructure}
    return EVERYTHING | {f"infrastructure.{key}": value for key, value in given.items()}


def uploaded() -> dict[str, str]:
    """A system image that is fetched already."""
    content = b"QFI\xfb" + bytes(64)
    digest = hashlib.sha256(content).hexdigest()
    folder = user_cache() / "system-images"
    folder.mkdir(parents=True)
    (folder / digest).write_bytes(content)
    return {"url": "https://images.example/debian.qcow2", "sha256": digest}


@pytest.fixture
def registered(
    make_inventory: MakeInventory, fork: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> dict[str, set[str]]:
    """Driver → every type that its program registers, over all that an inventory can ask for."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def types(driver: str, given: dict[str, Any], mocks: pulumi.runtime.Mocks) -> set[str]:
        folder: Path = make_inventory(f"example-{driver}-accepted", given)
        environment = {"SUITE_DEPLOY_INVENTORY": str(folder)}
        recorded = run_program(project_of(driver), mocks, stack="x", environment=environment)
        return {item.type for item in recorded.resources}

    openstack = settings("openstack", dns={"zone": "region-x.example"}, image=uploaded())
    found = {
        "openstack": types("openstack", openstack, Cloud()),
        "ovh": types("ovh", settings("ovh", dns={"zone": "suite.association.example"}), Zone())
        | types("ovh", settings("ovh"), Ovh(closed=True)),
        "outscale": types("outscale", settings("outscale", image={"id": "ami-0a1b2c3d"}), Ids()),
    }
    fork()
    found["openstack"] |= types("openstack", changes(), Cloud())
    return found


def test_every_listed_type_is_registered_and_every_registered_type_is_listed(
    registered: dict[str, set[str]],
) -> None:
    listed, made = set(coverage.types()), set().union(*registered.values())
    assert made - listed == set(), "REG-006 would refuse these: say what they are in policies/pack/resource-types.yml"
    assert listed - made - set(DELIBERATE) == set(), "nobody registers these: remove them, or say why they stay"
    assert set(DELIBERATE) <= listed and not set(DELIBERATE) & made, "a reason that no longer holds"
    assert {"openstack:dns/recordSet:RecordSet", "ovh:Domain/zoneRecord:ZoneRecord"} <= made
