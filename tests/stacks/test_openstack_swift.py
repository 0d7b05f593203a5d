# SPDX-License-Identifier: MIT
"""Where files are kept on an OpenStack: by S3, by Swift, or in the suite's own store alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest

from stacks.components.outputs import read_secrets
from suite_deploy.errors import InvalidInput
from suite_deploy.model.loader import load
from suite_deploy.policy import coverage
from suite_deploy.render.render import render
from suite_deploy.render.vocabulary import Addresses, context
from tests.policies.pack import judge, violations
from tests.stacks.archive import STORE, SWIFT, changes
from tests.stacks.conftest import MakeInventory
from tests.stacks.openstack_mocks import Cloud, identifier
from tests.stacks.support import Recorded, project_of, run_program

KEYSTONE = "https://keystone.region-x.snc.example/v3"


def run(folder: Path) -> Recorded:
    environment = {"SUITE_DEPLOY_INVENTORY": str(folder)}
    return run_program(project_of("openstack"), Cloud(), stack="x", environment=environment)


def test_swift_gives_a_versioned_container_and_a_restricted_credential_for_each_bucket(
    fork: Callable[..., None], make_inventory: MakeInventory
) -> None:
    fork()
    recorded = run(make_inventory("example-openstack-accepted", changes()))
    assert recorded.of("Ec2CredentialV3") == []
    (bucket,) = recorded.of("Container")
    assert (bucket.inputs["name"], bucket.inputs["versioning"], bucket.protect) == ("region-x-archive", True, True)
    assert not bucket.ignore_changes, "over Swift the engine itself sees to versions"
    (credential,) = recorded.of("ApplicationCredential")
    assert credential.inputs["unrestricted"] is False and credential.inputs["name"] == "region-x-archive"
    assert credential.inputs["region"] == "eu-west-sbg-snc" and not credential.inputs.get("roles")
    assert "secret" not in credential.inputs, "Keystone makes it: an argument would end in the state"
    assert "secret" in credential.secret_outputs and credential.delete_before_replace
    assert recorded.secrets == {"stack_secrets"} and "secret of" not in str(recorded.outputs["outputs"])
    assert read_secrets(recorded.outputs) == {
        "archive.bucket": "secret of credential-archive",
        "archive.bucket_access_key": identifier(credential.type, credential.name),
    }
    assert coverage.service_of(credential.type) == "object"
    assert violations(credential.type, credential.inputs, {}, given=judge(base="snc")) == {}


def test_a_credential_has_no_more_roles_than_the_inventory_gives_it(
    fork: Callable[..., None], make_inventory: MakeInventory
) -> None:
    fork()
    recorded = run(make_inventory("example-openstack-accepted", changes(roles=["swiftoperator"])))
    assert recorded.of("ApplicationCredential")[0].inputs["roles"] == ["swiftoperator"]


def test_the_component_is_told_where_and_with_what_it_speaks_swift(
    fork: Callable[..., None], make_inventory: MakeInventory
) -> None:
    fork()
    deployment = load(str(make_inventory("example-openstack-accepted", changes())))
    bucket = context(deployment, deployment.components["archive"], Addresses.unknown(deployment))["bucket"]
    assert (bucket.interface, bucket.endpoint, bucket.auth_url) == ("swift", SWIFT, KEYSTONE)
    assert bucket.access_key == "@secret:archive.bucket_access_key@"
    tree = render(deployment)
    (passed,) = [tree.host_vars[host]["edge_passthrough"] for host in ("app-1",)]
    assert {item["name"] for item in passed} >= {"swift.region-x.snc.example", "keystone.region-x.snc.example"}
    unit = next(item for item in tree.files if item.path.endswith("archive-server.container"))
    assert "AddHost=keystone.region-x.snc.example:" in unit.content


def test_the_same_component_speaks_s3_where_that_is_what_there_is(
    fork: Callable[..., None], make_inventory: MakeInventory
) -> None:
    fork()
    s3 = changes() | {"infrastructure.object_store": {"endpoint": "https://s3.example", "region": "eu-west-sbg-snc"}}
    folder = make_inventory("example-openstack-accepted", s3)
    deployment = load(str(folder))
    bucket = context(deployment, deployment.components["archive"], Addresses.unknown(deployment))["bucket"]
    assert (bucket.interface, bucket.auth_url) == ("s3", "")
    recorded = run(folder)
    assert recorded.of("ApplicationCredential") == [] and len(recorded.of("Ec2CredentialV3")) == 1


def test_none_of_the_clouds_store_means_no_container_and_no_credential(make_inventory: MakeInventory) -> None:
    own = {"profile": "dev", "components": {"keycloak": {}, "grist": {}}}
    folder = make_inventory("example-openstack-accepted", own)
    assert load(str(folder)).provider_of("objectstore") is not None, "the suite brings its own"
    recorded = run(folder)
    for kind in ("Container", "Ec2CredentialV3", "ApplicationCredential"):
        assert recorded.of(kind) == []
    assert read_secrets(recorded.outputs) == {}


def refused(make_inventory: MakeInventory, given: dict[str, Any], name: str = "example-openstack-accepted") -> str:
    with pytest.raises(InvalidInput) as error:
        load(str(make_inventory(name, given)))
    return str(error.value)


def test_a_component_that_speaks_s3_alone_refuses_a_swift(make_inventory: MakeInventory) -> None:
    said = refused(make_inventory, changes() | {"components": {"keycloak": {}, "grist": {}}})
    assert (
        "suite.yml:" in said
        and "infrastructure.object_store.interface: is `swift`, and Grist (components.grist)" in said
    )
    assert "Accepted with it: s3." in said and "`interface: s3` where the cloud's Swift has its S3 interface" in said
    assert "leave `object_store` out: the suite then brings its own store" in said


def test_it_is_refused_by_the_program_too_before_anything_is_made(make_inventory: MakeInventory) -> None:
    folder = make_inventory("example-openstack-accepted", changes() | {"components": {"keycloak": {}, "grist": {}}})
    with pytest.raises(pulumi.RunError, match="does not speak it"):
        run(folder)


@pytest.mark.parametrize(
    ("driver", "why"), [("ovh", "S3 is the standard interface of OVHcloud"), ("outscale", r"\(OOS\) speaks S3")]
)
def test_swift_is_openstacks_alone(make_inventory: MakeInventory, driver: str, why: str) -> None:
    given = {"profile": "dev", "infrastructure.object_store": STORE}
    with pytest.raises(InvalidInput, match=why) as error:
        load(str(make_inventory(f"example-{driver}-accepted", given)))
    assert "suite.yml:" in str(error.value) and "Accepted: s3." in str(error.value)


@pytest.mark.parametrize(
    ("given", "key", "said"),
    [
        ({"infrastructure.auth_url": "https://keystone.example:5000/v3"}, "auth_url", "a Swift with its Keystone"),
        ({"infrastructure.auth_url": "http://keystone.example/v3"}, "auth_url", "a Swift with its Keystone"),
        (changes(endpoint="https://swift.example:8080"), "object_store.endpoint", "an object store"),
    ],
)
def test_up_refuses_what_containers_do_not_reach(
    fork: Callable[..., None], make_inventory: MakeInventory, given: dict[str, Any], key: str, said: str
) -> None:
    fork()
    deployment = load(str(make_inventory("example-openstack-accepted", changes() | given)))
    (problem,) = deployment.not_in_this_version
    assert problem.key == f"infrastructure.{key}" and problem.line
    assert problem.found == f"{said} on another port than 443 is not in this version."
    assert not load(str(make_inventory("example-openstack-accepted", changes()))).not_in_this_version


@pytest.mark.parametrize("key", ["addressing", "checksums", "roles"])
def test_words_of_the_other_interface_are_refused(make_inventory: MakeInventory, key: str) -> None:
    store: dict[str, Any] = {**STORE, "interface": "s3" if key == "roles" else "swift"}
    store[key] = {"addressing": "path", "checksums": "when_required"}.get(key, ["member"])
    said = refused(make_inventory, {"profile": "dev", "infrastructure.object_store": store})
    assert f"`{key}` has no meaning with `interface: {store['interface']}`" in said


def test_a_component_must_speak_what_the_suites_own_store_speaks(
    fork: Callable[..., None], make_inventory: MakeInventory
) -> None:
    fork(interfaces=["swift"])
    assert "needs.bucket.interfaces: lacks `s3`" in refused(make_inventory, changes())
