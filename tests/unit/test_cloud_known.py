# SPDX-License-Identifier: MIT
"""The cloud's own names are held against its lists before anything starts: where it stands, what there is."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from suite_deploy.cloud.asking import ask
from suite_deploy.cloud.credentials import Credentials
from suite_deploy.cloud.known import require_known
from suite_deploy.cloud.need import Size
from suite_deploy.cloud.room import Room
from suite_deploy.errors import InvalidInput
from suite_deploy.model.deployment import Deployment
from suite_deploy.model.loader import load

from .cloud_support import OPENSTACK, write_inventory
from .keystone_double import PASSWORD, USER, Keystone, serve

CLOUD = Keystone(
    flavors={"m1": (2, 4096, 20)}, host_zones=("az1", "az2"), volume_zones=("nova",), volume_types=("fast", "slow")
)
VARIABLES = {"OS_USERNAME": USER, "OS_PASSWORD": PASSWORD, "OS_PROJECT_NAME": "p"}


@pytest.fixture
def keystone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keystone]:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serve(copy.copy(CLOUD)) as running:
        yield running


def inventory(folder: Path, url: str = "https://x.example", *, driver: str = "openstack", **cloud: Any) -> Deployment:
    infrastructure = copy.deepcopy(OPENSTACK["infrastructure"]) | {"auth_url": f"{url}/v3"}
    zone = cloud.pop("host_zone", None)
    infrastructure["hosts"]["one"] |= {"zone": zone} if zone else {}
    if driver == "ovh":
        infrastructure = {"driver": "ovh", "project": "p", "offer": "ovhcloud/public-cloud", "region": "GRA11"} | {
            "hosts": infrastructure["hosts"]
        }
    return load(str(write_inventory(folder, OPENSTACK | {"infrastructure": infrastructure | cloud})))


def asked(deployment: Deployment) -> Room:
    return ask(deployment, Credentials(VARIABLES, {"openstack": "environment"}, ()))


def test_types_and_zones_are_read(keystone: Keystone, tmp_path: Path) -> None:
    room = asked(inventory(tmp_path, keystone.url))
    assert room.volume_types == {"fast": "fast", "id-of-fast": "fast", "slow": "slow", "id-of-slow": "slow"}
    assert (room.host_zones, room.volume_zones) == ({"az1", "az2"}, {"nova"})
    assert room.silent == ()


@pytest.mark.parametrize(
    ("cloud", "key", "found", "there"),
    [
        (
            {"volumes": {"type": "Fast"}},
            "infrastructure.volumes.type",
            "the cloud has no volume type 'Fast' for this project.",
            "There is: fast, slow.",
        ),
        (
            {"host_zone": "nova"},
            "infrastructure.hosts.one.zone",
            "the cloud has no zone 'nova' for hosts.",
            "There is: az1, az2.",
        ),
        (
            {"volumes": {"zone": "az1"}, "host_zone": "az1"},
            "infrastructure.volumes.zone",
            "the cloud has no zone 'az1' for volumes.",
            "There is: nova.",
        ),
    ],
)
def test_an_unknown_name_is_answered_with_those_there_are(
    keystone: Keystone, tmp_path: Path, cloud: dict[str, Any], key: str, found: str, there: str
) -> None:
    deployment = inventory(tmp_path, keystone.url, **cloud)
    with pytest.raises(InvalidInput) as refused:
        require_known(deployment, asked(deployment))
    (problem,) = refused.value.problems
    line = Path(problem.file).read_text().splitlines()[problem.line - 1]
    assert key.rpartition(".")[2] in line
    assert (problem.key, problem.found, problem.accepted) == (key, found, there)
    assert problem.next_step.startswith("Leave it out")


@pytest.mark.parametrize(
    "cloud",
    [
        {"volumes": {"type": "id-of-fast"}},
        {"host_zone": "az2"},
        {"host_zone": "az2:machine-7"},
        {"volumes": {"zone": "nova"}},
        {},
    ],
)
def test_a_name_the_cloud_lists_is_accepted(keystone: Keystone, tmp_path: Path, cloud: dict[str, Any]) -> None:
    deployment = inventory(tmp_path, keystone.url, **cloud)
    require_known(deployment, asked(deployment))


def test_what_a_cloud_does_not_list_is_left_to_it_and_said(keystone: Keystone, tmp_path: Path) -> None:
    keystone.hide = ("os-availability-zone", "/types")
    deployment = inventory(tmp_path, keystone.url, volumes={"type": "any"}, host_zone="any")
    room = asked(deployment)
    require_known(deployment, room)
    said = [text.partition(":")[0] for text in room.silent]
    assert said == ["types of volumes", "zones of hosts", "zones of volumes"]


def test_every_wrong_name_is_said_at_once(keystone: Keystone, tmp_path: Path) -> None:
    keystone.flavors = {"b3-8": (2, 8000, 50)}
    deployment = inventory(tmp_path, keystone.url, volumes={"type": "any"}, host_zone="any")
    with pytest.raises(InvalidInput) as refused:
        require_known(deployment, asked(deployment))
    assert {problem.key.rpartition(".")[2] for problem in refused.value.problems} == {"flavor", "type", "zone"}


def test_ovhclouds_types_are_held_against_its_list_and_its_zones_against_its_own_rule(tmp_path: Path) -> None:
    room = Room({"m1": Size("m1", 2, 4096)}, volume_types={"classic": "classic"}, host_zones=frozenset({"nova"}))
    with pytest.raises(InvalidInput) as refused:
        deployment = inventory(tmp_path, driver="ovh", volumes={"type": "Classic"}, host_zone="eu-west-par-a")
        require_known(deployment, room)
    assert [problem.key for problem in refused.value.problems] == ["infrastructure.volumes.type"]
