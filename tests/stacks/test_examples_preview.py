# SPDX-License-Identifier: MIT
"""Every inventory of the product that names a cloud, whichever comes next: its program previews it, or refuses it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pulumi
import pytest
import yaml

from suite_deploy.model.loader import load
from suite_deploy.model.suite import Cloud, OpenStack, Outscale, Ovh
from tests.checkout import ROOT
from tests.stacks.conftest import MakeInventory
from tests.stacks.openstack_mocks import Cloud as OpenStackMocks
from tests.stacks.outscale_mocks import Ids
from tests.stacks.ovh_mocks import Ovh as OvhMocks
from tests.stacks.support import Recorded, project_of, run_program

MOCKS: dict[str, Callable[[], pulumi.runtime.Mocks]] = {
    "openstack": OpenStackMocks,
    "ovh": OvhMocks,
    "outscale": Ids,
}
#: type of a host, by its last word, on each cloud
HOST_TYPES = {"openstack": "Instance", "ovh": "Instance", "outscale": "Vm"}


def infrastructure_of(name: str) -> dict[str, Any]:
    """What an inventory says of its infrastructure, as it is written."""
    content = yaml.safe_load((ROOT / "inventories" / name / "suite.yml").read_text(encoding="utf-8"))
    found: dict[str, Any] = content["infrastructure"]
    return found


INVENTORIES = sorted(path.parent.name for path in (ROOT / "inventories").glob("*/suite.yml"))
ON_CLOUDS = [name for name in INVENTORIES if infrastructure_of(name)["driver"] in MOCKS]
REFUSED = [name for name in ON_CLOUDS if name.endswith("-refused")]
ACCEPTED = [name for name in ON_CLOUDS if name not in REFUSED]


class Nothing(pulumi.runtime.Mocks):
    """A cloud that may not even be asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.asked.append(args.name)
        return args.name, {}

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        self.asked.append(args.token)
        return {}


def run(folder: Path, driver: str, cloud: pulumi.runtime.Mocks, *, preview: bool) -> Recorded:
    chosen = {"SUITE_DEPLOY_INVENTORY": str(folder)}
    return run_program(project_of(driver), cloud, stack="x", environment=chosen, preview=preview)


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_example_previews_what_up_then_makes(name: str, make_inventory: MakeInventory) -> None:
    driver = infrastructure_of(name)["driver"]
    folder = make_inventory(name)
    planned, made = (run(folder, driver, MOCKS[driver](), preview=preview) for preview in (True, False))
    assert {(item.type, item.name) for item in planned.resources} == {(item.type, item.name) for item in made.resources}
    hosts = load(str(folder)).hosts
    assert {item.name for item in planned.of(HOST_TYPES[driver])} == {f"host-{host.name}" for host in hosts}
    volumes = {f"volume-{host.name}-{kind}" for host in hosts for kind in host.volumes}
    assert {item.name for item in planned.of("Volume")} == volumes
    assert [host["name"] for host in made.outputs["outputs"]["hosts"]] == [host.name for host in hosts]


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_example_is_refused_before_anything_is_registered(name: str, make_inventory: MakeInventory) -> None:
    cloud = Nothing()
    with pytest.raises(pulumi.RunError, match=r"[A-Z]{3}-00\d"):
        run(make_inventory(name), infrastructure_of(name)["driver"], cloud, preview=True)
    assert cloud.asked == []


def test_there_is_an_example_of_every_cloud_and_of_the_qualified_platforms() -> None:
    drivers = {get_args(model.model_fields["driver"].annotation)[0] for model in (OpenStack, Ovh, Outscale)}
    assert drivers == set(MOCKS) and {kind.__name__ for kind in Cloud.__subclasses__()} == {
        "OpenStack",
        "Ovh",
        "Outscale",
    }
    assert {infrastructure_of(name)["driver"] for name in ACCEPTED} == drivers
    assert {infrastructure_of(name)["driver"] for name in REFUSED} == drivers
    offers = {infrastructure_of(name)["offer"] for name in ACCEPTED}
    assert offers >= {"ovhcloud/snc-cloud-platform", "ovhcloud/public-cloud", "outscale/iaas-cloud-on-demand"}
