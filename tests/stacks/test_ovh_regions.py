# SPDX-License-Identifier: MIT
"""Regions of OVHcloud: of one zone and of three, open for the project or not yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from suite_deploy.policy.register import builtin
from tests.stacks.conftest import MakeInventory
from tests.stacks.ovh_mocks import PROJECT, REGION, Ovh
from tests.stacks.support import Recorded, project_of, run_program

PARIS, ZONES = "EU-WEST-PAR", ("eu-west-par-a", "eu-west-par-b", "eu-west-par-c")
APPS = {"groups": ["edge", "apps"], "flavor": "b3-16", "public": True}
DATA = {"groups": ["data"], "flavor": "b3-16", "volumes": {"postgresql": "50GiB"}}
#: what belongs to a region as a whole
REGIONAL = ("NetworkPrivate", "NetworkPrivateSubnetV2", "Gateway", "Port", "FloatingIp", "SecGroup", "ServerGroup")
Run = Callable[..., Recorded]


@pytest.fixture
def run(make_inventory: MakeInventory) -> Run:
    def start(region: str = PARIS, *, closed: bool = False, preview: bool = False, **changes: Any) -> Recorded:
        written = {key.replace("__", "."): value for key, value in changes.items()}
        folder = make_inventory("example-ovh-accepted", {"infrastructure.region": region, **written})
        environment = {"SUITE_DEPLOY_INVENTORY": str(folder)}
        cloud = Ovh(region=region, closed=closed)
        return run_program(project_of("ovh"), cloud, stack="x", environment=environment, preview=preview)

    return start


def zones(recorded: Recorded, kind: str) -> dict[str, Any]:
    return {item.name: item.inputs.get("availabilityZone") for item in recorded.of(kind)}


def test_a_host_stands_where_it_was_written_and_its_volumes_with_it(run: Run) -> None:
    hosts = {"app-1": {**APPS, "zone": ZONES[2]}, "data-1": {**DATA, "zone": ZONES[1]}}
    recorded = run(infrastructure__hosts=hosts)
    assert zones(recorded, "Instance") == {"host-app-1": ZONES[2], "host-data-1": ZONES[1]}
    assert zones(recorded, "Volume") == {"volume-data-1-postgresql": ZONES[1]}


def test_without_a_zone_everything_stands_in_the_regions_first(run: Run) -> None:
    """Left to chance, a host and its volume would lie in two zones, and a disk is attached in its own only."""
    recorded = run()
    found = [*zones(recorded, "Instance").values(), *zones(recorded, "Volume").values()]
    assert len(found) == 3 and set(found) == {ZONES[0]}


def test_in_a_region_of_one_zone_none_is_named_unless_it_was_written(run: Run) -> None:
    recorded = run(REGION)
    assert set(zones(recorded, "Instance").values()) | set(zones(recorded, "Volume").values()) == {None}
    named = run(REGION, infrastructure__hosts={"app-1": APPS, "data-1": {**DATA, "zone": "nova"}})
    assert zones(named, "Instance")["host-data-1"] == "nova" == zones(named, "Volume")["volume-data-1-postgresql"]


def test_network_gateway_and_addresses_belong_to_the_whole_region(run: Run) -> None:
    recorded = run()
    for kind in REGIONAL:
        assert recorded.of(kind), kind
        for item in recorded.of(kind):
            assert not [key for key in item.inputs if "zone" in key.lower()], item.name
    assert recorded.named("gateway-private").inputs["region"] == PARIS


WRONG = [
    (PARIS, "nova", ", ".join(ZONES)),
    (PARIS, "eu-west-par-d", ", ".join(ZONES)),
    (PARIS, "EU-WEST-PAR-A", ", ".join(ZONES)),
    ("EU-SOUTH-MIL", ZONES[0], "eu-south-mil-a, eu-south-mil-b, eu-south-mil-c"),
    (REGION, ZONES[0], "nova"),
]


@pytest.mark.parametrize(("region", "zone", "accepted"), WRONG)
def test_a_zone_the_region_does_not_have_is_refused_by_the_policies(
    run: Run, region: str, zone: str, accepted: str
) -> None:
    hosts = {"app-1": {**APPS, "zone": zone}, "data-1": {**DATA, "zone": zone}}
    with pytest.raises(pulumi.RunError, match="REG-004 mandatory") as refused:
        run(region, infrastructure__hosts=hosts)
    for host in hosts:
        assert f"infrastructure.hosts.{host}.zone: names the zone '{zone}'; " in str(refused.value), "all at once"
    assert accepted in str(refused.value) or accepted == "nova"


@pytest.mark.parametrize(("region", "zone", "accepted"), WRONG)
def test_where_the_policies_only_advise_it_is_refused_all_the_same(
    run: Run, region: str, zone: str, accepted: str
) -> None:
    hosts = {"app-1": {**APPS, "zone": zone}, "data-1": {**DATA, "zone": zone}}
    with pytest.raises(pulumi.RunError) as refused:
        run(region, closed=True, profile="dev", infrastructure__hosts=hosts)
    text = str(refused.value)
    for host in hosts:
        assert f"infrastructure.hosts.{host}.zone: '{zone}' is no zone of {region}." in text, "all at once"
    assert f"Accepted: {accepted}." in text and "suite.yml:" in text, "and before the region is opened"


def test_every_region_of_three_zones_names_them_as_ovhcloud_does() -> None:
    rows = [row for row in builtin().data.regions if row.provider == "ovhcloud" and row.zones]
    assert {row.ids[0] for row in rows} >= {PARIS, "EU-SOUTH-MIL"}
    for row in rows:
        assert row.zones == tuple(f"{row.ids[0].lower()}-{letter}" for letter in "abc")


@pytest.mark.parametrize("preview", [False, True])
def test_a_closed_region_is_opened_also_for_hosts_that_have_no_size_yet(run: Run, preview: bool) -> None:
    """Sizes are chosen from the region's own list, which nobody sees before it is open."""
    recorded = run(closed=True, preview=preview, infrastructure__hosts=None)
    (opened,) = [item for item in recorded.resources if not item.type.startswith("pulumi:")]
    assert (opened.type.rpartition(":")[2], opened.inputs) == (
        "ProjectRegion",
        {"serviceName": PROJECT, "region": PARIS},
    )
    assert "again" in recorded.outputs and "outputs" not in recorded.outputs


def test_hosts_without_a_size_are_refused_once_the_region_is_open(run: Run) -> None:
    with pytest.raises(pulumi.RunError, match=r"infrastructure\.hosts\.[a-z0-9-]+\.flavor: is missing"):
        run(infrastructure__hosts=None)


def test_what_else_is_wrong_is_said_before_a_region_is_opened(run: Run) -> None:
    with pytest.raises(pulumi.RunError, match="cannot be read"):
        run(closed=True, infrastructure__hosts=None, ssh__key="/nowhere/id_ed25519")
