# SPDX-License-Identifier: MIT
"""Each provider over the interface the engine uses: made once, compared rightly, changed in place, removed twice."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from stacks.outscale.providers.internet import NatServiceProvider, PublicIpProvider
from stacks.outscale.providers.keypair import KeypairProvider
from stacks.outscale.providers.net import NetProvider
from stacks.outscale.providers.routes import RouteTableProvider
from stacks.outscale.providers.security import SecurityGroupProvider
from stacks.outscale.providers.vm import VmProvider
from stacks.outscale.providers.volume import VolumeProvider
from tests.stacks.outscale_double import Fault
from tests.stacks.outscale_double.bench import PUBLIC_KEY, REGION, ZONE, Bench, bench
from tests.stacks.outscale_double.engine import Made, Refused
from tests.stacks.outscale_double.tenant import Tenant


@pytest.fixture(scope="module")
def served() -> Iterator[Bench]:
    with bench() as made:
        yield made


@pytest.fixture
def stand(served: Bench) -> Bench:
    """One process for all tests here, an empty cloud for each."""
    served.cloud.things.clear()
    served.cloud.quota.clear()
    served.server.faults.clear()
    served.server.seen.clear()
    served.cloud.lag = served.cloud.delay = 0.0
    served.cloud.page = 100
    return served


@pytest.fixture
def tenant(stand: Bench) -> Tenant:
    return Tenant(stand)


def test_what_exists_by_its_tags_is_taken_over(tenant: Tenant) -> None:
    again = tenant.make(NetProvider(), "net", ipRange="10.64.0.0/24")
    assert again.id == tenant.net
    assert tenant.stand.server.count("CreateNet") == 1


def test_a_stranger_with_our_name_is_not_taken_over(tenant: Tenant) -> None:
    with pytest.raises(Refused, match=r"Net agency-net exists \(vpc-\w+\) with ipRange '10.64.0.0/24' instead of"):
        tenant.make(NetProvider(), "net", ipRange="10.65.0.0/24")
    assert tenant.stand.server.count("CreateNet") == 1


def test_two_of_one_name_are_said_and_none_is_chosen(tenant: Tenant) -> None:
    other = tenant.stand.cloud.carry_out("CreateNet", {"IpRange": "10.64.0.0/24"})["Net"]["NetId"]
    tags = [{"Key": "Name", "Value": "agency-net"}, {"Key": "suite", "Value": "agency"}]
    tenant.stand.cloud.carry_out("CreateTags", {"ResourceIds": [other], "Tags": tags})
    with pytest.raises(Refused, match=f"several Nets are named agency-net: {tenant.net}, {other}"):
        tenant.make(NetProvider(), "net", ipRange="10.64.0.0/24")


def test_a_host_of_another_suite_by_the_same_name_is_none_of_ours(tenant: Tenant) -> None:
    foreign = {**tenant.stand.common("net"), "tags": {"Name": "agency-net", "suite": "other"}}
    made = tenant.stand.engine.create(NetProvider(), {**foreign, "ipRange": "10.64.0.0/24"})
    assert made.id != tenant.net


def test_every_property_that_the_api_cannot_change_means_another_resource(tenant: Tenant) -> None:
    made = tenant.group(inboundRules=[])
    changed = {"groupName": "hosts-of-else", "description": "else", "region": "eu-west-2", "netId": "vpc-2"}
    for name, value in changed.items():
        news = {**tenant.properties("group", **tenant.of_group()), name: value}
        difference = tenant.stand.engine.diff(SecurityGroupProvider(), made, news)
        assert difference.replaces == (name,) and difference.delete_before_replace


def test_another_endpoint_of_the_same_region_replaces_nothing(tenant: Tenant) -> None:
    made = tenant.group()
    news = {**tenant.properties("group", **tenant.of_group()), "endpoint": f"https://api.{REGION}.outscale.com/api/v1"}
    difference = tenant.stand.engine.diff(SecurityGroupProvider(), made, {**made.outs, **news})
    assert difference.changes and not difference.replaces, "the state gets the new one"


def test_rules_are_exactly_the_declared_ones(tenant: Tenant) -> None:
    ssh = {"protocol": "tcp", "fromPortRange": 22, "toPortRange": 22, "ipRange": "192.0.2.0/24"}
    web = {"protocol": "tcp", "fromPortRange": 443, "toPortRange": 443, "ipRange": "0.0.0.0/0"}
    inner = {"protocol": "tcp", "fromPortRange": 5432, "toPortRange": 5432, "remoteGroupId": "self"}
    made = tenant.group(inboundRules=[ssh, web, inner])
    wide = {"IpProtocol": "tcp", "FromPortRange": 5432, "ToPortRange": 5432, "IpRanges": ["0.0.0.0/0"]}
    wanted = {"SecurityGroupId": made.id, "Flow": "Inbound", "Rules": [wide]}
    tenant.stand.cloud.carry_out("CreateSecurityGroupRule", wanted)
    provider, engine = SecurityGroupProvider(), tenant.stand.engine
    seen = engine.read(provider, made)
    assert seen is not None
    news = tenant.properties("group", **tenant.of_group(inboundRules=[inner, ssh, web]))
    assert engine.diff(provider, seen, news).changes, "a rule added by hand is seen"
    after = engine.update(provider, seen, news)
    assert {frozenset(rule.items()) for rule in after.outs["inboundRules"]} == {
        frozenset(rule.items()) for rule in (ssh, web, inner)
    }
    assert not engine.diff(provider, after, news).changes


def test_groups_may_name_each_other(tenant: Tenant) -> None:
    def rule(other: str) -> dict[str, Any]:
        return {"protocol": "tcp", "fromPortRange": 80, "toPortRange": 80, "remoteGroupId": f"hosts-of-{other}"}

    first = tenant.group("one", inboundRules=[rule("two")])
    second = tenant.group("two", inboundRules=[rule("one")])
    assert [item["remoteGroupId"] for item in second.outs["inboundRules"]] == ["hosts-of-one"]
    assert len(tenant.stand.cloud.living("SecurityGroup")) == 2
    for made in (first, second):
        tenant.stand.engine.delete(SecurityGroupProvider(), made)
    assert not tenant.stand.cloud.living("SecurityGroup")


def test_a_route_that_somebody_bent_is_put_right(tenant: Tenant) -> None:
    subnet = tenant.public_subnet()
    table = next(item for item in tenant.stand.cloud.living("RouteTable") if not item["LinkRouteTables"][0]["Main"])
    door = table["Routes"][1]["GatewayId"]
    wanted = {"RouteTableId": table["RouteTableId"], "DestinationIpRange": "0.0.0.0/0"}
    tenant.stand.cloud.carry_out("DeleteRoute", wanted)
    tenant.stand.cloud.carry_out("CreateRoute", {**wanted, "DestinationIpRange": "198.51.100.0/24", "GatewayId": door})
    routes = [{"destinationIpRange": "0.0.0.0/0", "gatewayId": door}]
    news = tenant.properties("routes", netId=tenant.net, subnetIds=[subnet], routes=routes)
    engine, provider = tenant.stand.engine, RouteTableProvider()
    seen = engine.read(provider, Made(table["RouteTableId"], news))
    assert seen is not None and engine.diff(provider, seen, news).changes
    assert engine.update(provider, seen, news).outs["routes"] == routes


def test_another_size_stops_the_host_and_it_keeps_its_address(tenant: Tenant) -> None:
    provider, engine = VmProvider(), tenant.stand.engine
    given = tenant.of_vm()
    made = engine.create(provider, given)
    address = tenant.make(PublicIpProvider(), "address", vmId=made.id).outs["publicIp"]
    news = {**given, "vmType": "tinav6.c2r8p2"}
    difference = engine.diff(provider, made, news)
    assert difference.changes and not difference.replaces
    after = engine.update(provider, made, news)
    assert after.id == made.id and after.outs["vmType"] == "tinav6.c2r8p2" and after.outs["state"] == "running"
    assert [item["PublicIp"] for item in tenant.stand.cloud.living("Vm")] == [address]


def test_a_newer_image_or_another_first_boot_replaces_no_host(tenant: Tenant) -> None:
    given = tenant.of_vm()
    made = tenant.stand.engine.create(VmProvider(), given)
    news = {**given, "imageId": "ami-ffffffff", "userData": "#cloud-config\nhostname: x\n"}
    assert not tenant.stand.engine.diff(VmProvider(), made, news).changes


def test_a_host_that_somebody_stopped_is_started(tenant: Tenant) -> None:
    engine, given = tenant.stand.engine, tenant.of_vm()
    made = engine.create(VmProvider(), given)
    tenant.stand.cloud.carry_out("StopVms", {"VmIds": [made.id]})
    seen = engine.read(VmProvider(), made)
    assert seen is not None and engine.diff(VmProvider(), seen, given).changes
    assert engine.update(VmProvider(), seen, given).outs["state"] == "running"


def test_a_terminated_host_is_gone_and_its_successor_is_a_new_one(tenant: Tenant) -> None:
    """The API lists terminated VMs for an hour, and would answer their token with them."""
    engine, given = tenant.stand.engine, tenant.of_vm()
    made = engine.create(VmProvider(), given)
    tenant.stand.cloud.carry_out("DeleteVms", {"VmIds": [made.id]})
    assert engine.read(VmProvider(), made) is None
    again = engine.create(VmProvider(), given)
    assert again.id != made.id and again.outs["state"] == "running"
    assert [item["VmId"] for item in tenant.stand.cloud.living("Vm")] == [again.id]


def test_a_host_whose_maker_died_before_tagging_it_is_found_by_its_token(tenant: Tenant) -> None:
    engine, given = tenant.stand.engine, tenant.of_vm()
    denied = (401, "4", "AccessDenied", "")
    tenant.stand.server.faults = [Fault("CreateTags", "refuse", error=denied)]
    with pytest.raises(Refused, match="AccessDenied"):
        engine.create(VmProvider(), given)
    (orphan,) = tenant.stand.cloud.living("Vm")
    assert orphan["Tags"] == []
    assert engine.create(VmProvider(), given).id == orphan["VmId"]


def test_a_host_that_does_not_shut_down_is_switched_off(tenant: Tenant) -> None:
    made = tenant.stand.engine.create(VmProvider(), tenant.of_vm())
    tenant.stand.cloud.stubborn.add(made.id)
    tenant.stand.engine.delete(VmProvider(), made)
    asked = [bool(given.get("ForceStop")) for action, given in tenant.stand.server.seen if action == "StopVms"]
    assert asked == [False, True], "asked first, forced later"
    assert not tenant.stand.cloud.living("Vm")


def test_lists_of_several_pages_are_read_to_their_end(tenant: Tenant) -> None:
    """What is on the second page would otherwise be made once more."""
    tenant.stand.cloud.page = 1
    for name in ("one", "two"):
        tenant.make(PublicIpProvider(), name)
    tenant.stand.server.faults = [Fault("CreatePublicIp", "lose")]
    tenant.make(PublicIpProvider(), "three")
    assert len(tenant.stand.cloud.living("PublicIp")) == 3


def test_a_route_table_whose_maker_died_before_tagging_it_is_found_in_our_net(tenant: Tenant) -> None:
    tenant.stand.cloud.carry_out("CreateRouteTable", {"NetId": tenant.net})
    made = tenant.make(RouteTableProvider(), "routes", netId=tenant.net, subnetIds=[], routes=[])
    assert [item["RouteTableId"] for item in tenant.stand.cloud.living("RouteTable")][1:] == [made.id]


def test_what_cannot_be_tagged_and_so_not_be_found_again_is_taken_back(tenant: Tenant) -> None:
    tenant.stand.server.faults = [Fault("CreateTags", "refuse", error=(401, "4", "AccessDenied", ""))]
    with pytest.raises(Refused, match="CreateTags: Outscale refuses: AccessDenied 4"):
        tenant.make(PublicIpProvider(), "address")
    assert not tenant.stand.cloud.living("PublicIp")


def test_two_made_at_once_are_two_even_when_answers_are_lost(tenant: Tenant) -> None:
    """Until they are tagged, nothing tells two public addresses apart."""
    tenant.stand.cloud.lag = 0.1
    tenant.stand.server.faults = [Fault("CreatePublicIp", "lose", times=2)]
    with ThreadPoolExecutor(4) as pool:
        names = [f"address-{number}" for number in range(4)]
        found = list(pool.map(lambda name: tenant.make(PublicIpProvider(), name).id, names))
    assert len(set(found)) == len(tenant.stand.cloud.living("PublicIp")) == 4


def test_volumes_grow_in_place_and_never_shrink(tenant: Tenant) -> None:
    provider, engine = VolumeProvider(), tenant.stand.engine
    given = tenant.properties("data", subregionName=ZONE, size=10)
    made = engine.create(provider, given)
    larger = {**given, "size": 20}
    assert engine.diff(provider, made, larger).replaces == ()
    assert engine.update(provider, made, larger).outs["size"] == 20
    _, failures = engine.check(provider, {**given, "size": 5}, larger)
    assert failures == [
        ("size", "volume agency-data: size is 20 GiB and can't become 5: volumes only grow. Make a new one")
    ]


def test_another_key_under_our_name_is_seen_and_replaced(tenant: Tenant) -> None:
    provider, engine = KeypairProvider(), tenant.stand.engine
    given = tenant.properties("key", keypairName="agency", publicKey=PUBLIC_KEY)
    made = engine.create(provider, given)
    for pair in tenant.stand.cloud.living("Keypair"):
        pair["KeypairFingerprint"] = "00:11"
    seen = engine.read(provider, made)
    assert seen is not None and engine.diff(provider, seen, given).replaces == ("publicKey",)


def test_a_nat_service_needs_an_address_and_a_public_subnet(tenant: Tenant) -> None:
    address = tenant.make(PublicIpProvider(), "nat").id
    made = tenant.make(NatServiceProvider(), "nat", subnetId=tenant.public_subnet(), publicIpId=address)
    assert made.outs["publicIp"].startswith("203.0.113.")
    tenant.stand.engine.delete(NatServiceProvider(), made)
    assert tenant.stand.engine.read(NatServiceProvider(), made) is None


def test_removing_what_is_gone_is_no_failure(tenant: Tenant) -> None:
    engine = tenant.stand.engine
    host = engine.create(VmProvider(), tenant.of_vm())
    volume = tenant.make(VolumeProvider(), "data", subregionName=ZONE, size=10)
    for provider, made in ((VmProvider(), host), (VolumeProvider(), volume)):
        engine.delete(provider, made)
        engine.delete(provider, made)
    assert not tenant.stand.cloud.living("Vm") and not tenant.stand.cloud.living("Volume")


def test_something_new_may_stay_invisible_for_a_while(stand: Bench) -> None:
    stand.cloud.lag, stand.cloud.delay = 0.15, 0.1
    tenant = Tenant(stand)
    assert stand.engine.create(VmProvider(), tenant.of_vm()).outs["state"] == "running"
    assert len(stand.cloud.living("Vm")) == 1


def test_an_answer_lost_while_nothing_is_visible_yet_makes_no_second_one(stand: Bench) -> None:
    stand.cloud.lag = 0.2
    stand.server.faults = [Fault("CreateNet", "lose"), Fault("CreatePublicIp", "lose")]
    tenant = Tenant(stand)
    tenant.make(PublicIpProvider(), "address")
    assert len(stand.cloud.living("Net")) == len(stand.cloud.living("PublicIp")) == 1


def test_an_answer_that_comes_too_late_makes_no_second_one(tenant: Tenant) -> None:
    given = tenant.of_vm()
    tenant.stand.server.hang = 1.5
    tenant.stand.server.faults = [Fault("CreateVms", "hang"), Fault("CreateTags", "hang")]
    made = tenant.stand.engine.create(VmProvider(), given)
    assert [item["VmId"] for item in tenant.stand.cloud.living("Vm")] == [made.id]


def test_another_address_of_the_api_is_recorded_and_replaces_nothing(tenant: Tenant) -> None:
    engine = tenant.stand.engine
    made = engine.create(VmProvider(), given := tenant.of_vm())
    moved = {**given, "endpoint": given["endpoint"] + "/"}
    difference = engine.diff(VmProvider(), made, moved)
    assert difference.changes and not difference.replaces
    now = engine.update(VmProvider(), made, moved)
    assert now.outs["endpoint"] == moved["endpoint"] and not engine.diff(VmProvider(), now, moved).changes
    assert tenant.stand.server.count("StopVms") == 0
