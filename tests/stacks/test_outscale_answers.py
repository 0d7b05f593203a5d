# SPDX-License-Identifier: MIT
"""Where the API answers otherwise than it was asked: later, or in its own words. Nothing may take that for a change."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stacks.outscale.providers.vm import VmProvider
from stacks.outscale.providers.volume import VolumeProvider
from tests.stacks.outscale_double.bench import ZONE, Bench, bench
from tests.stacks.outscale_double.tenant import Tenant


@pytest.fixture
def stand() -> Iterator[Bench]:
    with bench() as made:
        yield made


@pytest.fixture
def tenant(stand: Bench) -> Tenant:
    return Tenant(stand)


def test_a_vm_type_without_its_flag_is_the_one_that_the_api_shows(tenant: Tenant) -> None:
    """`tinav6.c4r16` is answered as `tinav6.c4r16p2`: a second run must not stop the host for that."""
    engine, given = tenant.stand.engine, tenant.of_vm(vmType="tinav6.c4r16")
    made = engine.create(VmProvider(), given)
    assert made.outs["vmType"] == "tinav6.c4r16p2"
    assert not engine.diff(VmProvider(), made, given).changes
    assert not engine.diff(VmProvider(), made, {**given, "vmType": "tinav6.c4r16p2"}).changes
    assert engine.diff(VmProvider(), made, {**given, "vmType": "tinav6.c2r8"}).changes
    after = engine.update(VmProvider(), made, {**given, "securityGroupIds": [tenant.group("other").id]})
    assert after.outs["state"] == "running" and not tenant.stand.server.count("StopVms")


def test_a_volume_that_grows_later_is_waited_for(tenant: Tenant) -> None:
    engine, provider = tenant.stand.engine, VolumeProvider()
    given = tenant.properties("data", subregionName=ZONE, size=10, volumeType="standard")
    made = engine.create(provider, given)
    tenant.stand.cloud.delay = 0.3
    news = {**given, "size": 20, "volumeType": "gp2"}
    after = engine.update(provider, made, news)
    assert (after.id, after.outs["size"], after.outs["volumeType"]) == (made.id, 20, "gp2")
    assert not engine.diff(provider, after, news).changes
    assert tenant.stand.server.count("UpdateVolume") == 1
