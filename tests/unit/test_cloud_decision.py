# SPDX-License-Identifier: MIT
"""What a person decides on: counts, quota, cost; prices come from the operator's table or are unknown."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from suite_deploy.cloud.decision import weigh
from suite_deploy.cloud.need import Size, needs, size_of
from suite_deploy.cloud.outscale_room import left_of
from suite_deploy.cloud.plan import Step, plan_items
from suite_deploy.cloud.room import Left, Room
from suite_deploy.commands.preview import _folded
from suite_deploy.errors import CouldNotRun, InvalidInput

INSTANCE, VOLUME = "openstack:compute/instance:Instance", "openstack:blockstorage/volume:Volume"
FLAVORS = {"b3-16": Size("b3-16", 4, 16384), "id-of-it": Size("b3-16", 4, 16384)}
BOOT = {"blockDevices": [{"destinationType": "volume", "volumeSize": 20, "volumeType": "classic"}]}
PRICES = """
schema: 1
as_of: 2026-10-01
source: framework contract 7, annex 2
currency: EUR
hours_per_month: 720
flavors: {b3-16: {hour: 0.5}}
volumes: {classic: 0.1}
public_address: {month: 2}
"""


def created(type: str, name: str, **inputs: Any) -> Step:
    return Step("create", type, f"urn::{name}", name, inputs=inputs)


HOST = created(INSTANCE, "host-one", flavorId="id-of-it", **BOOT)
STEPS = [
    HOST,
    created(VOLUME, "volume-one-postgresql", size=100.0, volumeType="classic"),
    created("openstack:networking/floatingIp:FloatingIp", "address-one"),
]


def weighed(folder: Path, steps: list[Step], left: dict[str, Left] | None = None) -> Any:
    deployment: Any = SimpleNamespace(directory=folder, given="region")
    return weigh(deployment, steps, Room(FLAVORS, left or {}))


def test_what_is_needed_is_counted_with_the_volumes_hosts_bring() -> None:
    counted, unknown = needs(STEPS, FLAVORS)
    assert counted == {
        "hosts": 1,
        "vCPU": 4,
        "memory MiB": 16384,
        "volumes": 2,
        "volume GiB": 120,
        "public addresses": 1,
    }
    assert unknown == []


def test_a_volume_that_grows_needs_the_difference() -> None:
    step = Step("change", VOLUME, "u", "v", inputs={"size": 150}, before={"size": 100})
    assert needs([step], {})[0] == {"volume GiB": 50}


def test_a_host_that_is_replaced_takes_its_predecessors_place() -> None:
    inputs = dict(HOST.inputs)
    assert needs([Step("replace", INSTANCE, "u", "h", inputs=inputs, before=inputs)], FLAVORS)[0] == {}


def test_outscales_flavors_say_what_they_are() -> None:
    assert size_of("tinav6.c4r16p2", {}) == Size("tinav6.c4r16p2", 4, 16384)
    assert size_of("nonsense", {}) is None


def test_the_quota_is_shown_and_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    decision = weighed(tmp_path, STEPS, {"vCPU": Left(8, 6), "hosts": Left(None, 3)})
    text = decision.as_text()
    assert "DOES NOT FIT" in text and "no limit" in text and "unknown" in text
    with pytest.raises(CouldNotRun, match="vCPU: 4 needed, 2 left of 8"):
        decision.refuse()
    weighed(tmp_path, STEPS, {"vCPU": Left(10, 6)}).refuse()


def test_data_that_would_be_lost_is_shouted(tmp_path: Path) -> None:
    step = Step("replace", VOLUME, "u", "volume-one-postgresql", protected=True, changed=("volumeType",))
    decision = weighed(tmp_path, [step])
    assert decision.as_text().startswith("!! DATA WOULD BE LOST")
    assert "volume-one-postgresql: replace (volumeType)" in decision.as_text()
    assert decision.as_json()["data_lost"] == ["volume-one-postgresql"]


def test_what_up_refuses_is_read_first(tmp_path: Path) -> None:
    decision = weighed(tmp_path, [HOST, created(INSTANCE, "host-two", flavorId="b9-1")], {"vCPU": Left(4, 2)})
    shouted = decision.as_text().partition("resources")[0].splitlines()
    assert shouted == [
        "!! DOES NOT FIT: `up` refuses this plan",
        "!!   vCPU: 4 needed, 2 left of 4",
        "!! UNKNOWN FLAVOR: `up` refuses this plan: b9-1",
        "!!   There is: b3-16 (4 vCPU, 16 GiB)",
        "",
    ]
    with pytest.raises(CouldNotRun, match="vCPU: 4 needed, 2 left of 4"):
        decision.refuse()


def test_memory_is_shown_in_gib_and_kept_in_mib(tmp_path: Path) -> None:
    decision = weighed(tmp_path, [HOST], {"memory MiB": Left(10240, 2048)})
    assert "memory GiB: 16 needed, 8 left of 10" in decision.as_text()
    quota = {row["what"]: row for row in decision.as_json()["quota"]}
    assert (quota["memory MiB"]["needed"], quota["memory MiB"]["limit"]) == (16384, 10240)


def test_an_address_that_goes_takes_the_dns_records_with_it(tmp_path: Path) -> None:
    step = Step("replace", "openstack:networking/floatingIp:FloatingIp", "u", "address-edge")
    assert (
        "!! public address address-edge: replace; the DNS records have to follow" in weighed(tmp_path, [step]).as_text()
    )


def test_a_person_reads_what_is_new_and_what_differs_in_the_inventorys_words(tmp_path: Path) -> None:
    before = {"flavorId": "id-of-it", "availabilityZone": "eu-west-par-a"}
    after = {"flavorId": "b9-1", "availabilityZone": "eu-west-par-b"}
    moved = Step(
        "replace", INSTANCE, "u", "host-two", changed=("availabilityZone", "flavorId"), inputs=after, before=before
    )
    secret = Step("change", VOLUME, "u", "volume-two", changed=("name", "tags[0]"), inputs={"name": "[secret]"})
    details = {item.name: item.detail for item in weighed(tmp_path, [*STEPS, moved, secret]).items}
    assert details == {
        "host-one": "b3-16 (4 vCPU, 16 GiB), 20 GiB to boot from",
        "volume-one-postgresql": "100 GiB, classic",
        "address-one": "",
        "host-two": "because of zone eu-west-par-a → eu-west-par-b, flavor b3-16 (4 vCPU, 16 GiB) → b9-1",
        "volume-two": "because of name, tags[0]",
    }


def test_a_program_reads_everything_that_a_person_does(tmp_path: Path) -> None:
    deployment: Any = SimpleNamespace(directory=tmp_path, given="region")
    room = Room(FLAVORS, {}, ("quota of volumes: not here",), "like b3-16")
    document = weigh(deployment, STEPS, room).as_json()
    assert document["not_said"] == ["quota of volumes: not here"]
    assert document["flavors"] == [{"name": "b3-16", "vcpus": 4, "memory_mib": 16384}]
    assert (document["flavor_form"], document["region_closed"]) == ("like b3-16", False)


def test_without_a_price_table_the_cost_is_unknown(tmp_path: Path) -> None:
    decision = weighed(tmp_path, STEPS)
    assert "Cost of a month: unknown" in decision.as_text()
    assert decision.as_json()["monthly_cost"]["amount"] is None


def test_the_cost_is_what_the_table_says(tmp_path: Path) -> None:
    (tmp_path / "prices.yml").write_text(PRICES)
    cost = weighed(tmp_path, STEPS).as_json()["monthly_cost"]
    assert cost == {
        "amount": 0.5 * 720 + 120 * 0.1 + 2,
        "currency": "EUR",
        "as_of": "2026-10-01",
        "source": "framework contract 7, annex 2",
        "unknown": [],
    }


def test_what_has_no_price_is_named_and_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "prices.yml").write_text(PRICES.replace("b3-16", "b3-32").replace("classic", "high-speed"))
    text = weighed(tmp_path, STEPS).as_text()
    assert "2.00 EUR (prices of 2026-10-01: framework contract 7, annex 2)" in text
    assert "unknown for: flavor b3-16, volume type classic" in text


def test_a_plan_in_which_nothing_has_a_price_does_not_cost_zero(tmp_path: Path) -> None:
    (tmp_path / "prices.yml").write_text(PRICES)
    other = created(INSTANCE, "host-one", flavorId="b3-64")
    decision = weighed(tmp_path, [other])
    assert decision.cost.amount is None
    assert "unknown; the prices of 2026-10-01 (framework contract 7, annex 2) have none for: flavor b3-64" in (
        decision.as_text()
    )


def test_what_goes_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "prices.yml").write_text(PRICES)
    gone = Step("remove", INSTANCE, "u", "h", inputs=HOST.inputs)
    assert weighed(tmp_path, [gone]).cost.amount == 0


@pytest.mark.parametrize("wrong", ["currency: euro", "as_of: yesterday", "flavor: {}", "source: ''"])
def test_a_price_table_that_cannot_be_meant_is_refused(tmp_path: Path, wrong: str) -> None:
    key = wrong.partition(":")[0]
    kept = "\n".join(line for line in PRICES.splitlines() if not line.startswith(f"{key}:"))
    (tmp_path / "prices.yml").write_text(f"{kept}\n{wrong}\n")
    with pytest.raises(InvalidInput, match=r"prices\.yml"):
        weighed(tmp_path, STEPS)


def test_outscales_answer_is_read_with_zero_for_no_limit() -> None:
    quotas = [
        {"Name": "core_limit", "MaxValue": 100, "UsedValue": 4},
        {"Name": "memory_limit", "MaxValue": 10, "UsedValue": 2},
        {"Name": "vm_limit", "MaxValue": 0, "UsedValue": 3},
        {"Name": "nothing_of_ours", "MaxValue": 1, "UsedValue": 1},
    ]
    of_one = {"QuotaType": "sg-1", "Quotas": [{"Name": "core_limit", "MaxValue": 1, "UsedValue": 1}]}
    left = left_of({"QuotaTypes": [{"QuotaType": "global", "Quotas": quotas}, of_one]})
    assert left == {"vCPU": Left(100, 4), "memory MiB": Left(10240, 2048), "hosts": Left(None, 3)}
    assert left["hosts"].free is None


def test_what_everybody_may_reach_is_said_and_the_other_rules_are_one_line() -> None:
    kind = "openstack:networking/secGroupRule:SecGroupRule"
    web = {"direction": "ingress", "remoteIpPrefix": "0.0.0.0/0", "protocol": "tcp", "portRangeMin": 443.0}
    steps = [created(kind, f"rule-{number:02}", direction="egress", remoteIpPrefix="0.0.0.0/0") for number in range(9)]
    steps += [created(kind, "rule-web", **web, portRangeMax=443.0), created(VOLUME, "volume-one", size=1)]
    media = {"protocol": "udp", "fromPortRange": 30000, "toPortRange": 30099, "ipRange": "0.0.0.0/0"}
    inside = {"protocol": "tcp", "fromPortRange": 22, "toPortRange": 22, "ipRange": "10.64.0.0/24"}
    steps.append(created("pulumi-python:dynamic/outscale:SecurityGroup", "group", inboundRules=[media, inside]))
    rows = _folded(plan_items(steps))
    assert rows == [
        ("create", "firewall rule", "9 like rule-00", "every one: --format json"),
        ("create", "firewall rule", "rule-web", "open to everyone: tcp 443"),
        ("create", "security group", "group", "open to everyone: udp 30000-30099"),
        ("create", "volume", "volume-one", "1 GiB"),
    ]
    assert len(_folded(plan_items(steps[1:9]))) == 8, "a few are shown one by one"


def test_what_is_removed_with_data_can_be_let_go_of_and_what_is_replaced_cannot(tmp_path: Path) -> None:
    account = Step("remove", "ovh:CloudProject/user:User", "u", "account-docs", protected=True)
    gone = Step("remove", VOLUME, "u", "volume-one-postgresql", protected=True)
    replaced = Step("replace", VOLUME, "u", "volume-one-synapse", protected=True, changed=("volumeType",))
    decision = weighed(tmp_path, [account, gone, replaced])
    for text in (decision.as_text(), _refusal(decision)):
        assert "suite-deploy up region --release volume-one-postgresql\n" in text
        assert "check region --explain infrastructure.hosts" in text and "Data does not move by itself" in text
        assert "suite-deploy destroy region --with-data" in text and "account-docs" not in text
    assert "--release" not in _refusal(weighed(tmp_path, [replaced]))


@pytest.mark.parametrize(("wanted", "refused"), [(50, True), (100, False), (150, False)])
def test_only_a_smaller_volume_is_refused(tmp_path: Path, wanted: int, refused: bool) -> None:
    step = Step(
        "change", VOLUME, "u", "volume-one-docs", changed=("size",), inputs={"size": wanted}, before={"size": 100.0}
    )
    decision = weighed(tmp_path, [step])
    assert ("WOULD SHRINK" in decision.as_text()) is refused
    if refused:
        assert "volume-one-docs cannot become smaller: 100 → 50 GiB. Keep 100GiB or more in `volumes`" in (
            _refusal(decision)
        )
    else:
        decision.refuse()


def _refusal(decision: Any) -> str:
    with pytest.raises(CouldNotRun) as refused:
        decision.refuse()
    return str(refused.value)
