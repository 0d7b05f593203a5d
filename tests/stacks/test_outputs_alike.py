# SPDX-License-Identifier: MIT
"""One inventory on every driver: what comes after the infrastructure reads the same, whoever made it.

The three programs run unmodified under mocks. Drivers without an engine are read as they would report the same hosts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from stacks.components.outputs import read_outputs, read_secrets
from stacks.local import LocalDriver
from stacks.local.bridge import Network
from stacks.local.guest import ADMIN_USER
from stacks.local.sources import Mirrors
from stacks.local.tree import BaseInputs
from suite_deploy.drivers import driver_for
from suite_deploy.model.deployment import Deployment
from suite_deploy.model.loader import load
from suite_deploy.model.outputs import StackOutputs
from tests.stacks.conftest import PUBLIC_KEY
from tests.stacks.openstack_mocks import Cloud
from tests.stacks.outscale_mocks import Ids
from tests.stacks.ovh_mocks import Ovh
from tests.stacks.support import Recorded, project_of, run_program

#: name → groups, kinds of volumes with sizes, public
HOSTS: dict[str, tuple[list[str], dict[str, str], bool]] = {
    "edge-1": (["edge"], {}, True),
    "app-1": (["apps"], {}, False),
    "app-2": (["apps"], {"backup": "20GiB"}, False),
    "data-1": (["data"], {"postgresql": "50GiB", "valkey": "10GiB"}, False),
    "media-1": (["media"], {}, True),
}
STORE = {"endpoint": "https://s3.suite.example", "region": "here"}
BODY: dict[str, Any] = {
    "schema": 1,
    "suite": "alike",
    "domain": "suite.alike.example",
    "profile": "dev",
    "ssh": {"user": "deployer", "port": 2222, "from": ["192.0.2.0/24", "198.51.100.7/32"]},
    "components": {"keycloak": {}, "docs": {}, "meet": {}},
}
#: everything that may differ in an inventory, and the cloud that answers
CLOUDS: dict[str, tuple[dict[str, Any], Callable[[], pulumi.runtime.Mocks]]] = {
    "openstack": (
        {
            "offer": "ovhcloud/snc-cloud-platform",
            "region": "eu-west-sbg-snc",
            "auth_url": "https://keystone.region-x.snc.example/v3",
            "image": {"id": "0a1b2c3d-0a1b-4c3d-8e5f-0a1b2c3d4e5f"},
        },
        Cloud,
    ),
    "ovh": (
        {
            "offer": "ovhcloud/public-cloud",
            "region": "GRA11",
            "project": "0123456789abcdef0123456789abcdef",
            "image": {"name": "Debian 13"},
        },
        Ovh,
    ),
    "outscale": (
        {"offer": "outscale/iaas-cloud-on-demand", "region": "cloudgouv-eu-west-1", "image": {"id": "ami-0a1b2c3d"}},
        Ids,
    ),
}
FLAVORS = {"openstack": "b3-16", "ovh": "b3-16", "outscale": "tinav6.c4r16p2"}
#: what a report shows of a cloud beside the region: where it was asked, and what it calls things
OWN_FACTS = {
    "openstack": {"auth_url", "image", "external_network"},
    "ovh": {"auth_url", "project", "image"},
    "outscale": {"endpoint", "image"},
}
#: clouds whose object store gives a component a key pair of its own; elsewhere operators supply it
MAKES_KEYS = {"openstack", "ovh"}
EVERY = [*CLOUDS, "existing", "local"]
#: driver → what it says of the body; looked at by several tests
FOUND: dict[str, StackOutputs] = {}


def written(folder: Path, driver: str, infrastructure: Mapping[str, Any], hosts: Mapping[str, Any]) -> Deployment:
    """The one body with only `infrastructure` exchanged, read as the product reads it."""
    (folder / "id_ed25519.pub").write_text(PUBLIC_KEY + "\n", encoding="utf-8")
    body = {**BODY, "ssh": {**BODY["ssh"], "key": str(folder / "id_ed25519")}}
    content = {**body, "infrastructure": {"driver": driver, **infrastructure, "hosts": hosts}}
    (folder / "suite.yml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return load(str(folder))


def on_cloud(folder: Path, driver: str, config: Mapping[str, str] | None = None) -> tuple[Deployment, Recorded]:
    """What the program of a cloud exports for the body. config: what the driver tells the program."""
    given, cloud = CLOUDS[driver]
    hosts = {
        name: {"groups": groups, "volumes": volumes, "public": public, "flavor": FLAVORS[driver]}
        for name, (groups, volumes, public) in HOSTS.items()
    }
    deployment = written(folder, driver, {**given, "object_store": STORE}, hosts)
    chosen = {"SUITE_DEPLOY_INVENTORY": str(folder)}
    return deployment, run_program(project_of(driver), cloud(), stack="alike", environment=chosen, config=config)


def read(recorded: Recorded) -> StackOutputs:
    return read_outputs(recorded.outputs, ssh_private_key=Path("/key"), ssh_known_hosts=Path("/known"))


def on_existing_hosts(folder: Path) -> StackOutputs:
    hosts = {
        name: {
            "groups": groups,
            "address": f"203.0.113.{number}" if public else f"10.64.0.{number}",
            "private_address": f"10.64.0.{number}",
            "public": public,
        }
        for number, (name, (groups, _, public)) in enumerate(HOSTS.items(), start=11)
    }
    outputs = driver_for(written(folder, "existing", {"object_store": STORE}, hosts)).outputs()
    assert outputs is not None
    return outputs


def on_this_machine(folder: Path) -> StackOutputs:
    """As after an `up`, without one: root, packages and a bridge are needed for that."""
    hosts = {name: {"groups": groups, "volumes": volumes} for name, (groups, volumes, _) in HOSTS.items()}
    driver = driver_for(written(folder, "local", {"object_store": STORE}, hosts))
    assert isinstance(driver, LocalDriver)
    addresses = {name: IPv4Address(f"10.231.4.{number}") for number, name in enumerate(HOSTS, start=11)}
    network = Network("sd-alike", IPv4Network("10.231.4.0/24"), addresses)
    return driver._outputs(network, BaseInputs(Mirrors({}, None, {}, None, {}), ()))


@pytest.fixture
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, StackOutputs]:
    """Made once, under the clock and home that every test here has."""
    if not FOUND:
        FOUND.update({driver: read(on_cloud(tmp_path_factory.mktemp(driver), driver)[1]) for driver in CLOUDS})
        FOUND["existing"] = on_existing_hosts(tmp_path_factory.mktemp("existing"))
        FOUND["local"] = on_this_machine(tmp_path_factory.mktemp("local"))
    return FOUND


def test_every_cloud_says_the_same_of_the_same_inventory(outputs: dict[str, StackOutputs]) -> None:
    """Everything but driver, facts and the addresses, devices and ids that a cloud gives out."""
    said = {driver: alike(outputs[driver]) for driver in CLOUDS}
    first = next(iter(said))
    assert all(said[driver] == said[first] for driver in CLOUDS), said
    hosts = {host["name"]: host for host in said[first]["hosts"]}
    assert list(hosts) == list(HOSTS), "in the inventory's order"
    assert {name: host["jump"] for name, host in hosts.items()} == {
        "edge-1": "",
        "app-1": "edge-1",
        "app-2": "edge-1",
        "data-1": "edge-1",
        "media-1": "",
    }
    assert hosts["data-1"]["volumes"] == ["postgresql", "valkey"] and hosts["app-1"]["volumes"] == []
    assert {(host["ssh_user"], host["ssh_port"]) for host in hosts.values()} == {("deployer", 2222)}
    assert said[first]["host_vars"] == {
        "host_ssh_sources": ["192.0.2.0/24", "198.51.100.7/32", said[first]["private_networks"][0]]
    }


def alike(outputs: StackOutputs) -> dict[str, Any]:
    """What must not depend on the cloud. An address is said by which one it is, a volume by its kind."""
    return {
        "suite": outputs.suite,
        "hosts": [
            {
                "name": host.name,
                "groups": host.groups,
                "ssh_user": host.ssh_user,
                "ssh_port": host.ssh_port,
                "jump": host.jump,
                "address": "public" if host.address == host.public_address else "private",
                "public": bool(host.public_address),
                "volumes": sorted(host.volumes),
                "reached privately": host.private_address not in ("", host.public_address),
                "identified": bool(host.identity),
            }
            for host in outputs.hosts
        ],
        "private_networks": outputs.private_networks,
        "dns_records": sorted(outputs.dns_records),
        "host_vars": outputs.host_vars,
    }


@pytest.mark.parametrize("driver", EVERY)
def test_hosts_groups_and_names_are_the_inventorys_on_every_driver(
    outputs: dict[str, StackOutputs], driver: str
) -> None:
    found = outputs[driver]
    assert (found.driver, found.suite) == (driver, "alike")
    assert {host.name: list(host.groups) for host in found.hosts} == {name: kept[0] for name, kept in HOSTS.items()}
    assert [host.name for host in found.hosts] == list(HOSTS)
    assert sorted(found.dns_records) == sorted(outputs["openstack"].dns_records)
    (edge,) = [host for host in found.hosts if "edge" in host.groups]
    assert set(found.dns_records.values()) == {found.public_address} == {edge.address}
    inside = [IPv4Network(network) for network in found.private_networks]
    for host in found.hosts:
        address = IPv4Address(host.private_address)
        assert any(address in network for network in inside), f"{host.name} is reached where nobody would let it in"


@pytest.mark.parametrize("driver", EVERY)
def test_volumes_are_told_by_kind_wherever_a_driver_makes_them(outputs: dict[str, StackOutputs], driver: str) -> None:
    """Existing hosts have their disks already: nothing is told of them."""
    found = {host.name: sorted(host.volumes) for host in outputs[driver].hosts}
    assert found == {name: [] if driver == "existing" else sorted(kept[1]) for name, kept in HOSTS.items()}
    for host in outputs[driver].hosts:
        devices = [device for device in host.volumes.values() if device]
        assert len(set(devices)) == (len(host.volumes) if driver in CLOUDS else 0), host.name
        assert all(device.startswith("/dev/disk/by-id/") for device in devices), "a name that no order of disks changes"


@pytest.mark.parametrize("driver", EVERY)
def test_ssh_is_the_inventorys_where_it_has_a_say(outputs: dict[str, StackOutputs], driver: str) -> None:
    """Hosts on this machine have a user of their own, and nobody from outside signs in there."""
    wanted = (ADMIN_USER, 22) if driver == "local" else ("deployer", 2222)
    assert {(host.ssh_user, host.ssh_port) for host in outputs[driver].hosts} == {wanted}


@pytest.mark.parametrize("driver", CLOUDS)
def test_facts_are_the_region_and_what_the_cloud_calls_things(outputs: dict[str, StackOutputs], driver: str) -> None:
    facts = outputs[driver].facts
    assert facts["region"] == CLOUDS[driver][0]["region"]
    assert set(facts) == {"region"} | OWN_FACTS[driver] and all(facts.values())


@pytest.mark.parametrize("driver", CLOUDS)
def test_the_project_of_the_credentials_is_a_fact_where_the_driver_tells_it(
    outputs: dict[str, StackOutputs], tmp_path: Path, driver: str
) -> None:
    told = read(on_cloud(tmp_path, driver, {"suite:project": "9c46"})[1])
    assert told.facts == {**outputs[driver].facts, **({} if driver == "outscale" else {"credentials_project": "9c46"})}
    assert alike(told) == alike(outputs[driver])


@pytest.mark.parametrize("driver", CLOUDS)
def test_each_component_with_a_bucket_gets_its_keys_where_the_cloud_makes_them(tmp_path: Path, driver: str) -> None:
    deployment, recorded = on_cloud(tmp_path, driver)
    keys = {f"{slug}.{name}" for slug in ("docs", "meet") for name in ("bucket", "bucket_access_key")}
    made = set(read_secrets(recorded.outputs))
    supplied = {item.name for item in deployment.secrets_wanted if item.kind == "supplied"}
    assert made == (keys if driver in MAKES_KEYS else set()) == set(deployment.stack_secrets)
    assert made.isdisjoint(supplied) and made | (supplied & keys) == keys, "nobody is left without, and none has two"
    assert recorded.secrets == {"stack_secrets"} and not [word for word in keys if word in str(read(recorded))]
