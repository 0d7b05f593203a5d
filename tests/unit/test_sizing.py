# SPDX-License-Identifier: MIT
"""Hosts derived from the number of users: enough for what the components say, and for nobody else's numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from suite_deploy.cloud.driver import CloudDriver
from suite_deploy.cloud.need import Size, smallest
from suite_deploy.cloud.room import Room
from suite_deploy.errors import CouldNotRun
from suite_deploy.model.deployment import Deployment, HostPlan
from suite_deploy.model.explain import explain
from suite_deploy.model.inventory import read_inventory
from suite_deploy.model.loader import load, resolve
from suite_deploy.model.sizing import Demand, derive, reasons

from .cloud_support import OPENSTACK, Bench, bench, write_inventory

__all__ = ["bench"]
EVERYTHING = ("keycloak", "synapse", "element-web", "lk-jwt", "meet", "docs", "grist")
OUTSCALE = {"driver": "outscale", "offer": "outscale/public-cloud", "region": "eu-west-2", "image": {"id": "ami-1"}}


def suite(folder: Path, users: int, infrastructure: dict[str, Any] | None = None) -> Deployment:
    content = {**OPENSTACK, "users": users, "components": {slug: {} for slug in EVERYTHING}}
    base = {key: value for key, value in OPENSTACK["infrastructure"].items() if key != "hosts"}
    return load(str(write_inventory(folder, content | {"infrastructure": infrastructure or base})))


def of(deployment: Deployment) -> dict[str, HostPlan]:
    return {host.name: host for host in deployment.hosts}


@pytest.mark.parametrize("users", [50, 500, 5000])
def test_each_preset_holds_what_its_components_ask_for(users: int, tmp_path: Path) -> None:
    deployment = suite(tmp_path, users)
    for host in deployment.hosts:
        here = [item for item in deployment.components.values() if item.host == host.name]
        for key, had in (("cpu", host.vcpus * 1.25), ("memory_mib", float(host.memory_mib))):
            said = [item.description.sizing.model_dump() for item in here]
            wanted = sum(each["base"].get(key, 0) + each["per_100_users"].get(key, 0) * users / 100 for each in said)
            assert wanted <= had, f"{host.name}: {wanted} {key} wanted by {[item.slug for item in here]}, {had} there"
    assert len(deployment.hosts_in("edge")) == len(deployment.hosts_in("data")) == 1


def test_fifty_people_share_one_host(tmp_path: Path) -> None:
    (host,) = suite(tmp_path, 50).hosts
    assert host.groups == ("edge", "apps", "data", "media")
    assert host.public
    assert set(host.volumes) == {"postgresql", "objectstore", "synapse", "grist"}


def test_five_hundred_have_data_and_media_apart(tmp_path: Path) -> None:
    hosts = of(suite(tmp_path, 500))
    assert {name: host.groups for name, host in hosts.items()} == {
        "app-1": ("edge", "apps"),
        "data-1": ("data",),
        "media-1": ("media",),
    }
    assert {name: host.public for name, host in hosts.items()} == {"app-1": True, "data-1": False, "media-1": True}
    assert set(hosts["data-1"].volumes) == {"postgresql", "objectstore"}


def test_five_thousand_have_edge_apart_and_applications_spread(tmp_path: Path) -> None:
    deployment = suite(tmp_path, 5000)
    hosts = of(deployment)
    assert hosts["edge-1"].groups == ("edge",)
    apps = {item.host for item in deployment.components.values() if item.description.placement == "apps"}
    assert apps == {host.name for host in deployment.hosts_in("apps")}, "no host without work"
    assert len(apps) > 1
    # data lies where its component runs
    assert "grist" in hosts[deployment.components["grist"].host].volumes


def test_more_users_never_need_less(tmp_path: Path) -> None:
    totals = [sum(host.vcpus for host in suite(tmp_path, users).hosts) for users in (50, 500, 5000)]
    assert totals == sorted(totals) and len(set(totals)) == 3


def test_hosts_that_are_written_are_taken_as_they_are(bench: Bench) -> None:
    (host,) = bench.deployment.hosts
    assert (host.flavor, host.vcpus) == ("m1", 0)
    assert reasons(bench.deployment) == ()


def test_explain_says_why_with_each_component(tmp_path: Path) -> None:
    suite(tmp_path, 500)
    inventory = read_inventory(str(tmp_path / "inventory"))
    deployment = resolve(inventory)
    text = explain(inventory, deployment, "infrastructure.hosts")
    assert "derived for 500 users; write `infrastructure.hosts` to decide yourself" in text
    for host in deployment.hosts:
        assert f"{host.name}: {host.vcpus} vCPU, {host.memory_mib // 1024} GiB for " in text
    for slug in EVERYTHING:
        assert deployment.components[slug].description.title in text


def test_outscales_flavor_is_named_after_the_size(tmp_path: Path) -> None:
    for host in suite(tmp_path, 500, OUTSCALE).hosts:
        assert host.flavor == f"tinav6.c{host.vcpus}r{host.memory_mib // 1024}p2"


def test_elsewhere_the_smallest_that_fits_is_chosen_and_remembered(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    flavors = [Size("big", 64, 262144), Size("b3-64", 16, 64000), Size("b3-128", 32, 128000), Size("b3-8", 2, 8000)]
    room = Room({size.name: size for size in flavors} | {"m1-id": Size("m1", 1, 1000)}, image_gib=33)
    monkeypatch.setattr("suite_deploy.cloud.asking.ask", lambda deployment, credentials: room)
    base = {key: value for key, value in OPENSTACK["infrastructure"].items() if key != "hosts"}
    content = {**OPENSTACK, "infrastructure": base, "users": 80, "components": {"keycloak": {}}}
    inventory = write_inventory(bench.folder, content)
    deployment = load(str(inventory))
    (host,) = deployment.hosts
    assert host.flavor is None and host.vcpus
    bench.engine.script(bench.up_script())
    CloudDriver(deployment, bench.vault).preview()
    told = (bench.state / "engine" / "openstack" / "Pulumi.cloudy.yaml").read_text()
    assert "suite:flavors" in told and "suite:image_gib: '33'" in told
    assert not (deployment.state_dir / "flavors.json").exists(), "a preview decides nothing for later runs"
    CloudDriver(deployment, bench.vault).apply(lambda text: None)
    chosen = json.loads((deployment.state_dir / "flavors.json").read_text())
    assert list(chosen.values()) == ["b3-8"]
    assert load(str(inventory)).hosts[0].flavor == "b3-8", "later runs find what was chosen"


def test_a_cloud_without_a_flavor_that_large_lists_what_it_has() -> None:
    host = HostPlan("media-1", ("media",), vcpus=64, memory_mib=65536)
    with pytest.raises(CouldNotRun, match=r"media-1 needs 64 vCPU and 64 GiB(.|\n)*small \(2 vCPU, 4 GiB\)"):
        smallest(host, [Size("small", 2, 4096)])


def test_two_components_of_a_size_share_a_host_until_it_is_full() -> None:
    def item(slug: str, vcpus: float) -> Demand:
        return Demand(slug, slug, "apps", vcpus, 1000, 1, False, False)

    sized = derive(2000, [item("a", 10), item("b", 10), item("c", 4)])
    assert sized.placement == {"b": "app-2"}
    assert [host.name for host in sized.hosts] == ["edge-1", "app-1", "app-2", "data-1"]
