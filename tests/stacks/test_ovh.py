# SPDX-License-Identifier: MIT
"""What the program for OVHcloud registers, run unmodified under mocks."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from stacks.components.outputs import read_outputs, read_secrets
from stacks.ovh.network import vlan_of
from suite_deploy.cloud.failures import explain
from suite_deploy.cloud.plan import plan_items, step_of
from suite_deploy.errors import InvalidInput
from suite_deploy.model.loader import load
from suite_deploy.model.values import FIRST_VLAN, LAST_VLAN
from suite_deploy.policy import coverage
from tests.checkout import ROOT
from tests.stacks.conftest import MakeInventory
from tests.stacks.openstack_mocks import identifier
from tests.stacks.ovh_mocks import PROJECT, REGION, Ovh
from tests.stacks.support import Recorded, accepted_examples, project_of, run_program

STORE = {
    "infrastructure.object_store": {"endpoint": "https://s3.gra.io.cloud.ovh.net", "region": "gra"},
    "components": {"keycloak": {}, "docs": {}},
}
MEDIA = {"edge": {"groups": ["edge", "apps", "media"], "flavor": "b3-16", "public": True}}
HOSTS = {**MEDIA, "data-1": {"groups": ["data"], "flavor": "b3-16", "volumes": {"postgresql": "50GiB"}}}
Run = Callable[..., Recorded]


@pytest.fixture
def run(make_inventory: MakeInventory) -> Run:
    def start(changes: dict[str, Any] | None = None, *, cloud: Ovh | None = None, **options: Any) -> Recorded:
        folder = make_inventory("example-ovh-accepted", changes)
        environment = {"SUITE_DEPLOY_INVENTORY": str(folder)}
        return run_program(project_of("ovh"), cloud or Ovh(), stack="x", environment=environment, **options)

    return start


@pytest.mark.parametrize("name", accepted_examples("ovh"))
@pytest.mark.parametrize("preview", [False, True])
def test_every_example_for_ovh_runs(name: str, preview: bool, make_inventory: MakeInventory) -> None:
    folder = make_inventory(name)
    environment = {"SUITE_DEPLOY_INVENTORY": str(folder)}
    recorded = run_program(project_of("ovh"), Ovh(), stack="x", environment=environment, preview=preview)
    hosts = {item.name.removeprefix("host-") for item in recorded.of("Instance")}
    assert hosts == {host.name for host in load(str(folder)).hosts}


def test_providers_are_given_literals_and_no_credentials(run: Run) -> None:
    providers = {item.type: item.inputs for item in run().resources if item.type.startswith("pulumi:providers:")}
    assert providers["pulumi:providers:ovh"].keys() == {"endpoint"}
    assert providers["pulumi:providers:ovh"]["endpoint"] == "ovh-eu"
    assert providers["pulumi:providers:openstack"]["authUrl"] == "https://auth.cloud.ovh.net/v3"
    assert providers["pulumi:providers:openstack"]["region"] == REGION


def test_every_resource_names_project_region_and_provider(run: Run) -> None:
    cloud = Ovh()
    recorded = run(STORE | {"infrastructure.hosts": HOSTS}, cloud=cloud)
    providers = {item.type.rpartition(":")[2]: item.urn for item in recorded.resources if ":providers:" in item.type}
    account_wide = {"User", "S3Credential", "S3Policy"}
    for item in recorded.resources:
        package = item.type.partition(":")[0]
        if package not in ("ovh", "openstack"):
            continue
        assert item.provider.startswith(providers[package]), item.name
        if package == "ovh":
            assert item.inputs["serviceName"] == PROJECT, item.name
        kind = item.type.rpartition(":")[2]
        if kind in account_wide:
            continue
        where = item.inputs.get("region") or item.inputs.get("regionName") or (item.inputs.get("regions") or [None])[0]
        assert where == ("GRA" if kind == "Storage" else REGION), item.name
    for token, arguments, _ in cloud.asked:
        assert arguments.get("region") == REGION, token


def test_the_network_is_the_regions_own_and_no_other_regions(run: Run) -> None:
    recorded = run()
    network, subnet = recorded.named("network-private"), recorded.named("subnet-private")
    gateway = recorded.named("gateway-private")
    assert network.inputs["regions"] == [REGION]
    assert network.inputs["vlanId"] == vlan_of("association")
    assert subnet.inputs["networkId"] == identifier("vrack", REGION), "OpenStack's id, not the vRack's"
    assert gateway.inputs["subnetId"] == identifier(subnet.type, subnet.name)
    port = recorded.named("port-app-1")
    assert port.inputs["networkId"] == identifier("vrack", REGION)
    association = recorded.named("address-association-app-1")
    assert gateway.urn in association.dependencies, "an address without a gateway is refused"


def test_two_suites_of_a_project_have_vlans_of_their_own() -> None:
    vlans = {vlan_of(f"suite-{number}") for number in range(20)}
    assert len(vlans) > 15
    assert all(FIRST_VLAN <= vlan <= LAST_VLAN for vlan in vlans)


def test_the_inventory_decides_about_the_vlan(run: Run) -> None:
    assert vlan_of("association") != 1234
    assert run({"infrastructure.vlan": 1234}).named("network-private").inputs["vlanId"] == 1234


@pytest.mark.parametrize("vlan", [0, FIRST_VLAN - 1, LAST_VLAN + 1])
def test_a_vlan_that_ovhcloud_does_not_take_is_refused(vlan: int, make_inventory: MakeInventory) -> None:
    folder = make_inventory("example-ovh-accepted", {"infrastructure.vlan": vlan})
    with pytest.raises(InvalidInput, match=r"infrastructure\.vlan: "):
        load(str(folder))


def test_a_plan_says_that_another_vlan_replaces_the_network(run: Run) -> None:
    network = run().named("network-private")
    old, new = ({"custom": True, "inputs": {**network.inputs, "vlanId": vlan}} for vlan in (7, 8))
    step = step_of("replace", network.type, network.urn, old=old, new=new, changed=["vlanId"])
    assert step is not None
    [item] = plan_items([step])
    assert (item.action, item.kind) == ("replace", "network")
    assert "7 → 8" in item.detail


def test_data_is_protected_until_asked_otherwise(run: Run) -> None:
    recorded = run(STORE | {"infrastructure.hosts": HOSTS})
    keys = [*recorded.of("User"), *recorded.of("S3Credential"), *recorded.of("S3Policy")]
    assert len(keys) == 3 * len(recorded.of("Storage")), "who may empty a bucket stays as long as it does"
    data = [*recorded.of("Volume"), *recorded.of("Storage"), *keys]
    assert data and all(item.protect for item in data)
    assert not [item.name for item in recorded.resources if item.protect and item not in data]
    freed = run(STORE | {"infrastructure.hosts": HOSTS}, config={"suite:unprotect": "true"})
    assert not [item.name for item in freed.resources if item.protect]


def test_a_bucket_is_encrypted_versioned_and_open_to_its_own_account_only(run: Run) -> None:
    recorded = run(STORE | {"infrastructure.hosts": HOSTS})
    bucket = recorded.named("bucket-docs")
    assert bucket.inputs["encryption"] == {"sseAlgorithm": "AES256"}
    assert bucket.inputs["versioning"] == {"status": "enabled"}
    policy = recorded.named("policy-docs")
    account = recorded.named("account-docs")
    assert policy.inputs["userId"] == identifier(account.type, account.name)
    (statement,) = json.loads(policy.inputs["policy"])["Statement"]
    assert statement["Resource"] == ["arn:aws:s3:::association-docs", "arn:aws:s3:::association-docs/*"]
    assert not [action for action in statement["Action"] if "*" in action or "Policy" in action or "Acl" in action]
    assert set(recorded.named("credential-docs").secret_outputs) == {"accessKeyId", "secretAccessKey"}


def documented() -> set[str]:
    """Actions that OVHcloud's guide "Object Storage - Identity and access management" lists, and that open no more."""
    multipart = {"AbortMultipartUpload", "ListBucketMultipartUploads", "ListMultipartUploadParts"}
    bucket = {"GetBucketCORS", "GetBucketLocation", "GetBucketVersioning", "ListBucket", "ListBucketVersions"}
    tags = {"DeleteObjectTagging", "GetObjectTagging", "PutObjectTagging"}
    names = multipart | bucket | tags | {"DeleteObject", "GetObject", "PutBucketCORS", "PutObject"}
    return {f"s3:{name}" for name in names}


def granted_by_the_own_store() -> set[str]:
    """What the suite's own store lets an application do."""
    tree = ast.parse((ROOT / "roles/objectstore/library/suite_buckets.py").read_text())
    kinds = (ast.Assign, ast.AugAssign)
    values = [
        node.value
        for node in tree.body
        if isinstance(node, kinds)
        and "_ACTIONS" in ast.unparse(node.target if isinstance(node, ast.AugAssign) else node.targets[0])
    ]
    return {f"s3:{name}" for value in values for name in ast.literal_eval(value)}


def actions_of(recorded: Recorded, slug: str) -> set[str]:
    (statement,) = json.loads(recorded.named(f"policy-{slug}").inputs["policy"])["Statement"]
    return set(statement["Action"])


def test_an_application_may_do_what_it_may_in_the_own_store(run: Run) -> None:
    """OVHcloud has no names of their own for versions and attributes of an object."""
    wanted = granted_by_the_own_store()
    assert "s3:GetBucketVersioning" in wanted
    actions = actions_of(run(STORE | {"infrastructure.hosts": HOSTS}), "docs")
    assert {name for name in wanted - actions if not re.search("Object(Version|Attributes)", name)} == set()


def test_no_action_is_named_that_ovhcloud_does_not_know(run: Run) -> None:
    with_rules = STORE | {"components": {"keycloak": {}, "meet": {}, "docs": {}}, "infrastructure.hosts": HOSTS}
    recorded = run(with_rules)
    rules = {"s3:GetBucketCORS", "s3:PutBucketCORS"}
    assert actions_of(recorded, "docs") <= documented() - rules, "only who serves pages that use it sets its rules"
    assert rules < actions_of(recorded, "meet") <= documented()


def test_the_outputs_are_those_of_every_cloud(run: Run, tmp_path: Any) -> None:
    recorded = run(STORE | {"infrastructure.hosts": HOSTS})
    outputs = read_outputs(recorded.outputs, ssh_private_key=tmp_path / "key", ssh_known_hosts=tmp_path / "known")
    assert outputs.driver == "ovh"
    assert {host.name: bool(host.public_address) for host in outputs.hosts} == {"edge": True, "data-1": False}
    assert outputs.hosts[1].jump == "edge"
    assert outputs.dns_records["suite.association.example"] == outputs.public_address
    assert "stack_secrets" in recorded.secrets
    assert read_secrets(recorded.outputs)["docs.bucket"] == "secret of credential-docs"


def test_no_port_is_open_to_everyone_but_the_declared_ones(run: Run) -> None:
    open_to_all = {
        (item.inputs["protocol"], item.inputs["portRangeMin"], item.inputs["portRangeMax"])
        for item in run().of("SecGroupRule")
        if item.inputs["direction"] == "ingress" and item.inputs.get("remoteIpPrefix") == "0.0.0.0/0"
    }
    assert open_to_all == {("tcp", 80, 80), ("tcp", 443, 443)}


def test_a_closed_region_is_opened_first_and_the_rest_follows(run: Run) -> None:
    recorded = run(cloud=Ovh(closed=True))
    (opened,) = recorded.of("ProjectRegion")
    assert opened.inputs == {"serviceName": PROJECT, "region": REGION}
    assert recorded.outputs["again"] == f"the region {REGION} was opened"
    assert not recorded.of("Instance")
    assert not run().of("ProjectRegion"), "an open region is left alone"


def test_an_unknown_flavor_is_answered_with_the_key(run: Run) -> None:
    with pytest.raises(pulumi.RunError, match=r"infrastructure\.hosts\.app-1\.flavor: flavor 'b9-1' is not known"):
        run({"infrastructure.hosts": {**HOSTS, "app-1": {"groups": ["apps"], "flavor": "b9-1"}}})


def test_every_type_is_on_the_policy_packs_list(run: Run) -> None:
    types = {item.type for item in run(STORE | {"infrastructure.hosts": HOSTS}).resources}
    types |= {item.type for item in run(cloud=Ovh(closed=True)).resources}
    assert {name for name in types if not coverage.covered(name)} == set()


#: as OVHcloud's Terraform provider words an error of the interface
SAID = 'Error calling /cloud/project/{}/region:\n\t "OVHcloud API error (status code {}): Client::{}: \\"{}\\""'


@pytest.mark.parametrize(
    ("status", "kind", "words", "step"),
    [
        (404, "NotFound", "This service does not exist", "infrastructure.project is the id"),
        (403, "Forbidden", "This credential does not exist", "Check OVH_APPLICATION_KEY"),
        (403, "Forbidden", "This application key is invalid", "Check OVH_APPLICATION_KEY"),
        (400, "BadRequest", "Invalid signature", "OVH_CONSUMER_KEY"),
    ],
)
def test_a_wrong_key_or_project_is_no_closed_region(run: Run, status: int, kind: str, words: str, step: str) -> None:
    cloud = Ovh(refusal=SAID.format(PROJECT, status, kind, words))
    with pytest.raises(pulumi.RunError) as refused:
        run(cloud=cloud)
    text = str(refused.value)
    assert words in text and step in text and "Traceback" not in text
    said = explain(text, doing="preview")
    assert "no such region" not in said
    assert ("does not accept the credentials" in said) == (status != 404)
