# SPDX-License-Identifier: MIT
"""Hosts and volumes have zones of their own at OpenStack: a volume is given none that the volume service lacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from tests.stacks.conftest import MakeInventory
from tests.stacks.openstack_mocks import Cloud
from tests.stacks.support import Recorded, project_of, run_program

QUESTION = "openstack:blockstorage/getAvailabilityZonesV3:getAvailabilityZonesV3"


class Zoned(Cloud):
    """zones: those that its volumes may lie in; None: it does not say."""

    def __init__(self, zones: tuple[str, ...] | None) -> None:
        super().__init__()
        self.zones = zones

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        if args.token != QUESTION:
            return super().call(args)
        self.asked.append((args.token, args.args, args.provider))
        if self.zones is None:
            return {}, [("zones", "HTTP 503")]
        return {"id": "z", "names": list(self.zones), "region": "r", "state": "available"}


Run = Callable[..., Recorded]


@pytest.fixture
def run(make_inventory: MakeInventory) -> Run:
    def start(cloud: Cloud, host: str | None, volume: str | None = None) -> Recorded:
        # a cloud that the register knows no zones of
        changes: dict[str, Any] = {"profile": "dev", "data": None}
        changes |= {"infrastructure.hosts.data-1.zone": host} if host else {}
        changes |= {"infrastructure.volumes.zone": volume} if volume else {}
        environment = {"SUITE_DEPLOY_INVENTORY": str(make_inventory("example-openstack-accepted", changes))}
        return run_program(project_of("openstack"), cloud, stack="x", environment=environment)

    return start


@pytest.mark.parametrize(
    ("host", "volume", "listed", "given"),
    [
        ("az1", None, ("az1", "az2"), "az1"),
        ("az1", None, ("nova",), None),
        ("az1", "nova", ("nova",), "nova"),
        (None, "ceph-1", ("ceph-1",), "ceph-1"),
        (None, None, ("nova",), None),
    ],
)
def test_a_volume_lies_in_its_own_zone_else_in_its_hosts_where_volumes_have_it(
    run: Run, host: str | None, volume: str | None, listed: tuple[str, ...], given: str | None
) -> None:
    made = run(Zoned(listed), host, volume)
    assert made.named("volume-data-1-postgresql").inputs.get("availabilityZone") == given
    assert made.named("host-data-1").inputs.get("availabilityZone") == host


def test_zones_of_volumes_are_asked_for_only_where_they_decide(run: Run) -> None:
    for host, volume, asked in ((None, None, False), ("az1", "nova", False), ("az1", None, True)):
        cloud = Zoned(("nova",))
        run(cloud, host, volume)
        assert (QUESTION in [token for token, _, _ in cloud.asked]) == asked


def test_a_cloud_that_does_not_say_them_stops_the_run_before_anything_is_made(run: Run) -> None:
    with pytest.raises(pulumi.RunError, match=r"(?s)did not answer.*zones.*HTTP 503"):
        run(Zoned(None), "az1")
