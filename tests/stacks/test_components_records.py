# SPDX-License-Identifier: MIT
"""The suite's names in the provider's DNS: which records the programs make, and what they leave alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest

from stacks.components.outputs import read_outputs
from stacks.openstack import catalogue
from suite_deploy.cloud.failures import without_frames
from suite_deploy.model.loader import load
from suite_deploy.policy import coverage
from tests.policies.pack import judge, violations
from tests.stacks.conftest import MakeInventory
from tests.stacks.openstack_mocks import Cloud, identifier
from tests.stacks.ovh_mocks import Record, Zone
from tests.stacks.support import Recorded, project_of, run_program

EDGE = "198.51.100.11"
#: profile `dev`: what `fr-snc` says of DNS is told by QUA-004's own cases
OPENSTACK = {
    "profile": "dev",
    "infrastructure.dns": {"zone": "Region-X.example.", "ttl": 120},
    "infrastructure.hosts.app-1.groups": ["edge", "apps", "media"],
    "components.meet": {},
}
OVH = {"infrastructure.dns": {"zone": "suite.association.example"}}
KEY = 'Error calling /domain/zone/{}:\n\t "OVHcloud API error (status code {}): Client::{}: \\"{}\\""'


Run = Callable[..., Recorded]


@pytest.fixture
def run(make_inventory: MakeInventory, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(catalogue, "names", lambda what, deployment: f"There is: some {what}.")

    def start(driver: str, changes: dict[str, Any], cloud: Cloud | None = None, **options: Any) -> Recorded:
        folder = make_inventory(f"example-{driver}-accepted", changes)
        environment = {"SUITE_DEPLOY_INVENTORY": str(folder)}
        asked = cloud or (Zone() if driver == "ovh" else Cloud())
        return run_program(project_of(driver), asked, stack="x", environment=environment, **options)

    return start


def outputs_of(recorded: Recorded) -> Any:
    return read_outputs(recorded.outputs, ssh_private_key=Path("/k"), ssh_known_hosts=Path("/h"))


def test_openstack_publishes_every_name_with_edges_address(run: Run, make_inventory: MakeInventory) -> None:
    recorded = run("openstack", OPENSTACK)
    records = recorded.of("RecordSet")
    names = load(str(make_inventory("example-openstack-accepted", OPENSTACK))).public_names
    assert {f"{label}.suite.region-x.example" for label in ("id", "matrix", "meet", "livekit", "turn")} < set(names)
    assert {item.inputs["name"] for item in records} == {f"{name}." for name in names}
    for item in records:
        assert item.inputs["zoneId"] == identifier("zone", "region-x.example.")
        assert (item.inputs["type"], item.inputs["records"], item.inputs["ttl"]) == ("A", [EDGE], 120), item.name
        assert item.inputs["region"] == "eu-west-sbg-snc" and not item.protect
        assert item.name == f"record-{item.inputs['name'].removesuffix('.')}"
        assert "suite:network:Records" in item.parent
    outputs = outputs_of(recorded)
    assert set(outputs.dns_created) == set(outputs.dns_records) == set(names)


def test_ovh_publishes_every_name_with_edges_address(run: Run) -> None:
    recorded = run("ovh", OVH)
    records = {item.inputs["subdomain"]: item for item in recorded.of("ZoneRecord")}
    assert {"", "id", "matrix"} <= set(records), "the domain itself is the zone's own name"
    for item in records.values():
        inputs = item.inputs
        assert (inputs["zone"], inputs["fieldtype"]) == ("suite.association.example", "A"), item.name
        assert (inputs["target"], inputs["ttl"]) == (EDGE, 300), item.name
        assert not item.protect and "pulumi:providers:ovh::ovh" in item.provider
    assert len(records) == len(outputs_of(recorded).dns_created) == len(outputs_of(recorded).dns_records)


@pytest.mark.parametrize(("driver", "zone"), [("openstack", "region-x.example"), ("ovh", "suite.association.example")])
def test_names_outside_the_zone_are_left_to_the_operator(run: Run, driver: str, zone: str) -> None:
    changes = {
        "profile": "dev",
        "infrastructure.dns": {"zone": zone},
        "components.synapse.hostname": "chat.other.example",
    }
    recorded = run(driver, changes)
    assert not [item.name for item in recorded.resources if "chat.other.example" in item.name]
    outputs = outputs_of(recorded)
    assert set(outputs.dns_records) - set(outputs.dns_created) == {"chat.other.example"}


@pytest.mark.parametrize("driver", ["openstack", "ovh"])
def test_without_the_key_no_record_is_made_and_no_zone_asked_for(run: Run, driver: str) -> None:
    cloud = Zone(refusal="asked") if driver == "ovh" else Cloud()
    recorded = run(driver, {}, cloud)
    assert recorded.of("RecordSet") == recorded.of("ZoneRecord") == recorded.of("Records") == []
    assert not [token for token, *_ in cloud.asked if "Zone" in token]
    assert outputs_of(recorded).dns_created == () and outputs_of(recorded).dns_records


@pytest.mark.parametrize(("driver", "changes"), [("openstack", OPENSTACK), ("ovh", OVH)])
def test_the_policies_know_the_records(run: Run, driver: str, changes: dict[str, Any]) -> None:
    records = [item for item in run(driver, changes).resources if item.type.endswith(("RecordSet", ":ZoneRecord"))]
    assert records
    for item in records:
        assert coverage.service_of(item.type) == "dns"
        base, wanted = ("snc", {"QUA-004.resource_service"}) if driver == "openstack" else ("public", set())
        refused = violations(item.type, item.inputs, {}, given=judge(base=base))
        assert set(refused) == wanted, "no label is known to cover DNS"


def test_a_zone_the_cloud_does_not_have_is_answered_with_those_there_are(run: Run) -> None:
    with pytest.raises(pulumi.RunError) as refused:
        run("openstack", {"profile": "dev", "infrastructure.dns": {"zone": "suite.region-x.example"}})
    said = str(refused.value)
    assert "infrastructure.dns.zone: DNS zone 'suite.region-x.example' is not known there." in said
    assert "There is: some DNS zone." in said and "`up` lists the records to publish" in said


def test_a_cloud_without_a_dns_service_is_no_wrong_region(run: Run) -> None:
    class Without(Cloud):
        def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
            if args.token.endswith(":getDnsZone"):
                words = (
                    "Error creating OpenStack DNS client: No suitable endpoint could be found in the service catalog."
                )
                return {}, [("name", words)]
            return super().call(args)

    with pytest.raises(pulumi.RunError) as refused:
        run("openstack", OPENSTACK, Without())
    said = str(refused.value)
    assert "this cloud offers no DNS service (Designate) in this region" in said and "suite.yml:" in said
    assert "Check credentials" not in said


@pytest.mark.parametrize(
    ("refusal", "wanted"),
    [
        (
            KEY.format("suite.association.example", 404, "NotFound", "This service does not exist"),
            "is no DNS zone of this",
        ),
        (KEY.format("suite.association.example", 403, "Forbidden", "This call has not been granted"), "GET, POST, PUT"),
    ],
)
def test_a_zone_of_somebody_else_is_refused_before_anything_is_made(run: Run, refusal: str, wanted: str) -> None:
    with pytest.raises(pulumi.RunError, match=wanted) as refused:
        run("ovh", OVH, Zone(refusal=refusal))
    assert ("suite.yml:" in str(refused.value)) == ("no DNS zone" in wanted)


OTHERS = (
    Record(1, "", "NS", "dns200.anycast.me."),
    Record(2, "id", "TXT", '"kept"'),
    Record(3, "www", "A", "192.0.2.80"),
    Record(4, "id.elsewhere", "A", "192.0.2.81"),
)


def test_other_records_of_a_zone_are_none_of_our_business(run: Run) -> None:
    recorded = run("ovh", OVH, Zone(*OTHERS), preview=True)
    assert recorded.of("ZoneRecord") and "www" not in {item.inputs["subdomain"] for item in recorded.of("ZoneRecord")}


@pytest.mark.parametrize("rival", ["A", "AAAA", "CNAME"])
def test_a_name_that_somebody_else_answers_for_ends_the_plan(run: Run, rival: str) -> None:
    """OVHcloud would take a second record and answer with both in turn."""
    with pytest.raises(pulumi.RunError) as refused:
        run("ovh", OVH, Zone(*OTHERS, Record(5, "id", rival, "there")), preview=True)
    said = without_frames(str(refused.value))
    assert said.startswith("the zone suite.association.example has records already that this suite did not make")
    assert f"\n  id.suite.association.example: {rival} there\n" in said and "Remove them there" in said
    assert "www" not in said and "Traceback" not in said


@pytest.mark.parametrize("apex", ["", None])
def test_the_zones_own_name_counts_too(run: Run, apex: Any) -> None:
    """A new zone of OVHcloud's leads to a page of its own there."""
    with pytest.raises(pulumi.RunError, match=r"\n  suite\.association\.example: A 192\.0\.2\.1\n"):
        run("ovh", OVH, Zone(*OTHERS, Record(5, apex, "A", "192.0.2.1")), preview=True)


def test_the_suites_own_record_is_no_rival_on_the_next_run(run: Run) -> None:
    own = {"record-id.suite.association.example": 5}
    changed_by_hand = Record(5, "id", "A", "192.0.2.99")
    recorded = run("ovh", OVH, Zone(*OTHERS, changed_by_hand, made=own), preview=True)
    assert recorded.named("record-id.suite.association.example").inputs["target"] == EDGE, "and is put right"
    with pytest.raises(pulumi.RunError, match="A 192.0.2.98"):
        run("ovh", OVH, Zone(changed_by_hand, Record(6, "id", "A", "192.0.2.98"), made=own), preview=True)
