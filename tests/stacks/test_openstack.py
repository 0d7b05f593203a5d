# SPDX-License-Identifier: MIT
"""What the program for OpenStack registers, run unmodified under mocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from stacks.components.outputs import read_outputs, read_secrets
from suite_deploy.model.loader import load
from suite_deploy.policy import coverage, pulumi_pack
from suite_deploy.policy.engine import applies
from suite_deploy.policy.resource import Resource
from tests.stacks.conftest import PUBLIC_KEY, MakeInventory
from tests.stacks.openstack_mocks import Cloud, identifier
from tests.stacks.support import Recorded, accepted_examples, project_of, run_program

REGION = "eu-west-sbg-snc"
STORE = {
    "infrastructure.object_store": {"endpoint": "https://s3.region-x.snc.example", "region": REGION},
    "profile": "dev",
    "components": {"keycloak": {}, "grist": {}},
}
Run = Callable[..., Recorded]
#: a program says the same of the same inventory: each run is looked at by several tests
RUNS: dict[str, Recorded] = {}


@pytest.fixture
def run(make_inventory: MakeInventory) -> Run:
    def start(changes: dict[str, Any] | None = None, *, cloud: Cloud | None = None, **options: Any) -> Recorded:
        asked = repr((changes, options))
        if cloud is None and asked in RUNS:
            return RUNS[asked]
        folder = make_inventory("example-openstack-accepted", changes)
        environment = {"SUITE_DEPLOY_INVENTORY": str(folder)}
        recorded = run_program(
            project_of("openstack"), cloud or Cloud(), stack="region-x", environment=environment, **options
        )
        return RUNS.setdefault(asked, recorded)

    return start


def clouds(recorded: Recorded) -> list[Any]:
    return [item for item in recorded.resources if item.type.startswith("openstack:")]


@pytest.mark.parametrize("name", accepted_examples("openstack"))
@pytest.mark.parametrize("preview", [False, True])
def test_every_example_for_openstack_runs(name: str, preview: bool, make_inventory: MakeInventory) -> None:
    folder = make_inventory(name)
    recorded = run_program(
        project_of("openstack"),
        Cloud(),
        stack="x",
        environment={"SUITE_DEPLOY_INVENTORY": str(folder)},
        preview=preview,
    )
    assert {item.name.removeprefix("host-") for item in recorded.of("Instance")} == {
        host.name for host in load(str(folder)).hosts
    }


def test_the_stacks_configuration_names_the_inventory_too(make_inventory: MakeInventory) -> None:
    folder = make_inventory("example-openstack-accepted")
    config = {"suite:inventory": str(folder)}
    assert run_program(project_of("openstack"), Cloud(), stack="x", environment={}, config=config).of("Instance")


def test_the_provider_is_given_the_inventorys_literals_and_no_credentials(run: Run) -> None:
    (provider,) = [item for item in run().resources if item.type == "pulumi:providers:openstack"]
    assert provider.inputs["authUrl"] == "https://keystone.region-x.snc.example/v3"
    assert provider.inputs["region"] == REGION
    assert str(provider.inputs["insecure"]).lower() == "false"
    assert set(provider.inputs) <= {"authUrl", "region", "insecure", "maxRetries", "endpointOverrides"}


def test_every_resource_names_its_region_and_that_provider(run: Run) -> None:
    cloud = Cloud()
    recorded = run(STORE, cloud=cloud)
    (provider,) = [item for item in recorded.resources if item.type == "pulumi:providers:openstack"]
    for item in clouds(recorded):
        assert item.inputs.get("region") == REGION, item.name
        assert item.provider.startswith(provider.urn), item.name
    assert cloud.asked
    for token, arguments, asked_of in cloud.asked:
        assert arguments.get("region") == REGION, token
        assert asked_of.startswith(provider.urn), token


def test_every_type_is_on_the_policies_list(run: Run) -> None:
    assert [item.type for item in run(STORE).resources if not coverage.covered(item.type)] == []


def test_resources_hang_below_named_components(run: Run) -> None:
    recorded = run(STORE)
    components = {item.type for item in recorded.resources if not item.custom}
    assert components == {
        "suite:network:PrivateNetwork",
        "suite:network:SecurityGroups",
        "suite:compute:HostGroup",
        "suite:storage:DataVolumes",
        "suite:storage:Buckets",
    }
    for item in clouds(recorded):
        assert "Stack$suite:" in item.parent, item.name


def test_names_say_kind_and_key_and_are_unique(run: Run) -> None:
    names = [item.name for item in clouds(run(STORE))]
    assert len(names) == len(set(names))
    assert {"network-private", "subnet-private", "router-private", "host-app-1", "port-data-1"} <= set(names)
    assert {"volume-data-1-postgresql", "attachment-data-1-postgresql", "address-app-1"} <= set(names)


def test_what_the_cloud_shows_carries_the_suites_name_and_tags(run: Run) -> None:
    recorded = run(STORE)
    for item in clouds(recorded):
        if "name" in item.inputs:
            assert item.inputs["name"].startswith("region-x-"), item.name
        if "tags" in item.inputs:
            assert item.inputs["tags"] == ["managed-by=suite-deploy", "suite=region-x"], item.name
    assert recorded.named("host-data-1").inputs["metadata"]["host"] == "data-1"
    assert recorded.named("volume-data-1-postgresql").inputs["metadata"]["suite"] == "region-x"


def test_only_edge_and_hosts_that_ask_have_a_public_address(run: Run) -> None:
    assert {item.name for item in run().of("FloatingIp")} == {"address-app-1"}
    public = {"infrastructure.hosts.data-1.public": True}
    assert {item.name for item in run(public).of("FloatingIp")} == {"address-app-1", "address-data-1"}


def test_public_addresses_wait_for_the_way_out(run: Run) -> None:
    recorded = run()
    association = recorded.named("address-association-app-1")
    assert recorded.named("router-interface-private").urn in association.dependencies


def test_everyone_reaches_the_web_and_nothing_else(run: Run) -> None:
    rules = [item.inputs for item in run().of("SecGroupRule") if item.inputs["direction"] == "ingress"]
    open_ = {(rule["protocol"], int(rule["portRangeMin"]), int(rule["portRangeMax"])) for rule in rules if wide(rule)}
    assert open_ == {("tcp", 80, 80), ("tcp", 443, 443)}


def test_what_leaves_is_named_by_port_or_stays_inside(run: Run) -> None:
    mail = {"mail": {"relay": "smtp.region-x.example", "port": 465, "from": "suite@region-x.example"}}
    outbound = [item for item in run(mail).of("SecGroupRule") if item.inputs["direction"] == "egress"]
    inside = [item.inputs for item in outbound if item.name.endswith("-out-private")]
    assert [rule["remoteIpPrefix"] for rule in inside] == ["10.64.0.0/24"] * 2
    ports = {item.name.removeprefix("rule-data-1-out-") for item in outbound if "data-1-out-tcp" in item.name}
    assert ports == {"tcp-53", "tcp-80", "tcp-443", "tcp-465"}
    assert all(item.inputs.get("portRangeMin") for item in outbound if not item.name.endswith("-out-private"))


def wide(rule: Mapping[str, Any]) -> bool:
    return not rule.get("remoteGroupId") and rule.get("remoteIpPrefix") in (None, "", "0.0.0.0/0")


def test_hosts_let_each_other_in_by_group_and_the_outside_by_network(run: Run) -> None:
    recorded = run()
    database = recorded.named("rule-data-1-tcp-5432-app-1").inputs
    edge_group = recorded.named("port-app-1").inputs["securityGroupIds"][0]
    assert database["remoteGroupId"] == edge_group and "remoteIpPrefix" not in database
    assert recorded.named("rule-app-1-tcp-22-192.0.2.0-24").inputs["remoteIpPrefix"] == "192.0.2.0/24"
    assert recorded.named("rule-data-1-tcp-22-app-1").inputs["remoteGroupId"] == edge_group


def test_groups_begin_empty_and_each_port_has_its_hosts_own(run: Run) -> None:
    recorded = run()
    assert all(item.inputs["deleteDefaultRules"] for item in recorded.of("SecGroup"))
    for port in recorded.of("Port"):
        assert port.inputs["securityGroupIds"] == [identifier(
            "openstack:networking/secGroup:SecGroup", port.name.replace("port-", "security-group-")
        )]  # fmt: skip


def test_data_is_protected_and_the_rest_is_not(run: Run) -> None:
    for item in run(STORE).resources:
        assert item.protect is item.type.endswith((":Volume", ":Container")), item.name


def test_data_can_only_be_removed_when_that_was_asked_for(run: Run) -> None:
    recorded = run(STORE, config={"suite:unprotect": "true"})
    assert not any(item.protect for item in recorded.resources)
    assert all(item.inputs["forceDestroy"] for item in recorded.of("Container"))
    assert not any(item.inputs.get("forceDestroy") for item in run(STORE).of("Container"))


def test_volumes_have_the_type_the_inventory_names(run: Run) -> None:
    recorded = run()
    assert recorded.named("volume-data-1-postgresql").inputs["volumeType"] == "classic-luks"
    assert recorded.named("volume-data-1-postgresql").inputs["size"] == 100
    for server in recorded.of("Instance"):
        assert server.inputs["blockDevices"][0]["volumeType"] == "classic-luks"


def test_boot_volumes_are_no_larger_for_a_flavors_own_disk_which_stays_unused(run: Run) -> None:
    recorded = run()
    sizes = {item.name: item.inputs["blockDevices"][0]["volumeSize"] for item in recorded.of("Instance")}
    assert sizes == {"host-app-1": 20, "host-data-1": 20}


def test_hosts_stand_apart_and_are_not_lost_for_a_new_image_or_key(run: Run) -> None:
    recorded = run()
    (group,) = recorded.of("ServerGroup")
    assert group.inputs["policies"] == "soft-anti-affinity"
    for server in recorded.of("Instance"):
        assert server.inputs["schedulerHints"][0]["group"] == identifier(group.type, group.name)
        assert set(server.ignore_changes) == {"userData", "blockDevices"}
        assert server.delete_before_replace


def test_user_data_lets_ansible_in_and_holds_no_secret(run: Run) -> None:
    for server in run(STORE).of("Instance"):
        content = yaml.safe_load(server.inputs["userData"])
        (user,) = content["users"]
        assert user["name"] == "suite" and user["ssh_authorized_keys"] == [PUBLIC_KEY]
        assert user["sudo"] == "ALL=(ALL) NOPASSWD:ALL" and user["lock_passwd"] is True
        assert content["manage_etc_hosts"] is False and content["ssh_pwauth"] is False
        assert set(content) == {"hostname", "manage_etc_hosts", "ssh_pwauth", "disable_root", "users", "runcmd"}
        assert "BEGIN" not in server.inputs["userData"]


def test_buckets_only_in_the_clouds_own_store(run: Run) -> None:
    assert run({key: value for key, value in STORE.items() if "object_store" not in key}).of("Container") == []
    recorded = run(STORE)
    (bucket,) = recorded.of("Container")
    assert bucket.inputs["name"] == "region-x-grist" and bucket.inputs["versioning"] is True
    assert bucket.ignore_changes == ("versioning",), "Ceph never shows it over Swift: every plan would change it"
    (pair,) = recorded.of("Ec2CredentialV3")
    assert set(pair.secret_outputs) == {"access", "secret"}
    assert recorded.secrets == {"stack_secrets"}
    assert read_secrets(recorded.outputs) == {
        "grist.bucket": "secret of credential-grist",
        "grist.bucket_access_key": "access of credential-grist",
    }
    assert "secret of" not in str(recorded.outputs["outputs"])


def test_pages_reach_the_buckets_that_they_use_and_no_other(run: Run) -> None:
    """Swift's own headers for CORS, https://docs.openstack.org/swift/latest/cors.html."""
    media = {"edge": {"groups": ["edge", "apps", "data", "media"], "flavor": "b3-16", "public": True}}
    components = {"keycloak": {}, "grist": {}, "meet": {}}
    recorded = run(STORE | {"infrastructure.hosts": media, "components": components})
    allowed = {
        item.name: item.inputs["metadata"].get("access-control-allow-origin") for item in recorded.of("Container")
    }
    (own,) = (name for name in recorded.outputs["outputs"]["dns_records"] if name.startswith("meet."))
    assert allowed == {"bucket-meet": f"https://{own}", "bucket-grist": None}
    assert recorded.named("bucket-meet").inputs["metadata"]["access-control-expose-headers"] == "etag"


def test_the_exports_are_every_drivers_outputs(run: Run) -> None:
    recorded = run()
    outputs = read_outputs(recorded.outputs, ssh_private_key=Path("/k"), ssh_known_hosts=Path("/h"))
    edge, data = outputs.hosts
    assert (edge.name, edge.groups, edge.jump) == ("app-1", ("edge", "apps"), "")
    assert (data.name, data.groups, data.jump) == ("data-1", ("data",), "app-1")
    assert edge.address == edge.public_address == outputs.public_address == "198.51.100.11"
    assert data.address == data.private_address and data.public_address == ""
    assert data.private_address.startswith("10.64.0.") and outputs.private_networks == ("10.64.0.0/24",)
    volume = identifier("openstack:blockstorage/volume:Volume", "volume-data-1-postgresql")
    assert data.volumes == {"postgresql": f"/dev/disk/by-id/virtio-{volume[:20]}"}
    assert data.identity == identifier("openstack:compute/instance:Instance", "host-data-1")
    assert set(outputs.dns_records) >= {"suite.region-x.example", "id.suite.region-x.example"}
    assert set(outputs.dns_records.values()) == {"198.51.100.11"}
    assert outputs.host_vars == {"host_ssh_sources": ["192.0.2.0/24", "10.64.0.0/24"]}
    assert outputs.facts["region"] == REGION and outputs.driver == "openstack" and outputs.suite == "region-x"


def test_the_policy_pack_accepts_every_resource_of_the_accepted_example(
    make_inventory: MakeInventory, tmp_path: Path
) -> None:
    folder = make_inventory("example-openstack-accepted")
    recorded = run_program(
        project_of("openstack"), Cloud(), stack="x", environment={"SUITE_DEPLOY_INVENTORY": str(folder)}
    )
    judge = pulumi_pack.judge_for(str(folder), {}, tmp_path)
    (provider,) = [item.inputs for item in recorded.resources if item.type == "pulumi:providers:openstack"]
    clauses = [(rule, clause) for rule in judge.rules.rules for clause in rule.clauses if clause.on_resources]
    said = [
        sentence
        for item in recorded.resources
        for rule, clause in clauses
        if applies(clause.types or (), item.type)
        and (sentence := judge.sentence(rule, clause, Resource(item.type, item.urn, item.inputs, provider)))
    ]
    assert said == []
