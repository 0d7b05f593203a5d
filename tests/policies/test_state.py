# SPDX-License-Identifier: MIT
"""`policy analyze`: what exists, from an exported state, without asking a provider."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from suite_deploy.errors import InvalidInput
from suite_deploy.main import main
from suite_deploy.policy.resource import UNKNOWN
from suite_deploy.policy.state import SECRETS_PROVIDER, read_state

from .support import copy_inventory, deployment, failing, find, judge_with

URN = "urn:pulumi:region-x::suite-openstack::{}::{}"
PROVIDER = "pulumi:providers:openstack"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:hunter2"}


def resource(kind: str, name: str, inputs: dict[str, Any], **fields: Any) -> dict[str, Any]:
    provider = f"{URN.format(PROVIDER, 'main')}::4711"
    return {
        "urn": URN.format(kind, name),
        "type": kind,
        "custom": True,
        "inputs": inputs,
        "provider": provider,
        **fields,
    }


def state(*resources: dict[str, Any], **secrets: Any) -> dict[str, Any]:
    main_provider = {
        "urn": URN.format(PROVIDER, "main"),
        "type": PROVIDER,
        "id": "4711",
        "inputs": {
            "region": "eu-west-sbg-snc",
            "authUrl": "https://keystone.region-x.snc.example/v3",
            "password": SECRET,
        },
    }
    stack = {"urn": URN.format("pulumi:pulumi:Stack", "region-x"), "type": "pulumi:pulumi:Stack"}
    providers = secrets or {"type": "passphrase", "state": {"salt": "v1:x"}}
    return {
        "version": 3,
        "deployment": {"secrets_providers": providers, "resources": [stack, main_provider, *resources]},
    }


def written(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "state.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


NETWORK = resource("openstack:networking/network:Network", "net", {"name": "n"})


def test_resources_are_read_with_their_providers_and_without_secrets(tmp_path: Path) -> None:
    path = written(tmp_path, state(NETWORK))
    found = {item.type: item for item in read_state(path)}
    network = found["openstack:networking/network:Network"]
    assert network.provider["region"] == "eu-west-sbg-snc"
    assert network.name == "net"
    assert "hunter2" not in repr(found)
    assert found[SECRETS_PROVIDER].props == {"type": "passphrase", "url": ""}


def test_a_checkpoint_of_a_file_backend_is_read_too(tmp_path: Path) -> None:
    export = state(NETWORK)
    path = written(tmp_path, {"version": 3, "checkpoint": {"stack": "region-x", "latest": export["deployment"]}})
    assert len(read_state(path)) == 4


def test_unknown_values_and_things_being_deleted(tmp_path: Path) -> None:
    gone = resource("openstack:dns/zone:Zone", "old", {}, delete=True)
    vague = resource("openstack:compute/instance:Instance", "vm", {"imageId": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"})
    found = read_state(written(tmp_path, state(gone, vague)))
    assert [item.props["imageId"] for item in found if item.name == "vm"] == [UNKNOWN]
    assert not [item for item in found if item.type == "openstack:dns/zone:Zone"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"deployment": 3}', "{"])
def test_what_is_no_state_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(InvalidInput):
        read_state(written(tmp_path, content))


def test_a_good_state_is_accepted(tmp_path: Path) -> None:
    found = judge_with(deployment("example-openstack-accepted"), read_state(written(tmp_path, state(NETWORK))))
    assert not found.blocking
    assert find(found, "ENC-001", "resources").status == "not_applicable"


@pytest.mark.parametrize(
    ("kind", "inputs", "rule"),
    [
        ("openstack:networking/network:Network", {"region": "GRA11"}, "REG-004"),
        ("openstack:dns/zone:Zone", {}, "REG-006"),
        ("openstack:loadbalancer/loadBalancer:LoadBalancer", {}, "QUA-004"),
        (
            "openstack:networking/secGroupRule:SecGroupRule",
            {"direction": "ingress", "protocol": "tcp", "portRangeMin": 22, "portRangeMax": 22},
            "NET-001",
        ),
    ],
)
def test_a_resource_that_went_astray_is_found(tmp_path: Path, kind: str, inputs: dict[str, Any], rule: str) -> None:
    path = written(tmp_path, state(NETWORK, resource(kind, "astray", inputs)))
    found = judge_with(deployment("example-openstack-accepted"), read_state(path))
    assert failing(found, blocking=True) == {rule}
    assert find(found, rule).target == URN.format(kind, "astray")


@pytest.mark.parametrize("kind", ["service", "cloud"])
def test_a_state_protected_by_someone_else_is_found(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, state(NETWORK, type=kind, state={"url": "awskms://x"}))
    assert failing(judge_with(deployment("example-openstack-accepted"), read_state(path)), blocking=True) == {"STA-002"}


def test_after_the_end_the_state_is_still_judged(tmp_path: Path) -> None:
    resources = read_state(written(tmp_path, state(NETWORK)))
    found = judge_with(deployment("example-openstack-accepted"), resources, on=date(2029, 8, 1))
    assert failing(found, blocking=True) == {"QUA-002"}
    assert len([item for item in found.findings if item.rule == "QUA-002" and item.status == "fail"]) == 3


def test_the_command_reports_and_ends_like_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inventory = copy_inventory("example-openstack-accepted", tmp_path)
    good, evidence = written(tmp_path, state(NETWORK)), tmp_path / "evidence.json"
    day = ["--on", "2026-09-15"]
    arguments = ["policy", "analyze", str(inventory), "--state", str(good), *day, "--evidence", str(evidence)]
    assert main(arguments) == 0
    assert json.loads(evidence.read_text())["blocking"] is False
    bad = written(tmp_path, state(resource("openstack:dns/zone:Zone", "z", {})))
    assert main(["policy", "analyze", str(inventory), "--state", str(bad), *day, "--format", "json"]) == 3
    out = capsys.readouterr().out
    assert json.loads(out[out.index('{\n  "schema"') :])["blocking"] is True


def test_without_a_state_the_command_says_where_to_get_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inventory = copy_inventory("example-openstack-accepted", tmp_path)
    assert main(["policy", "analyze", str(inventory)]) == 1
    assert "pulumi stack export" in capsys.readouterr().err


def test_the_suites_own_state_is_found_where_the_engine_keeps_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    inventory = copy_inventory("example-openstack-accepted", tmp_path)
    checkpoint = "engine/state/.pulumi/stacks/suite-openstack/region-x.json"
    path = tmp_path / "state" / "suite-deploy" / "region-x" / checkpoint
    path.parent.mkdir(parents=True)
    for resources, status in (([], 0), ([resource("openstack:dns/zone:Zone", "z", {})], 3)):
        latest = state(NETWORK, *resources)["deployment"]
        path.write_text(json.dumps({"version": 3, "checkpoint": {"stack": "region-x", "latest": latest}}))
        assert main(["policy", "analyze", str(inventory), "--on", "2026-09-15"]) == status
        capsys.readouterr()


def test_a_state_in_a_bucket_has_to_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inventory = copy_inventory("example-openstack-accepted", tmp_path)
    where = "https://s3.sbg.snc.example"
    with (inventory / "suite.yml").open("a") as file:
        file.write(f"state: {{s3: {{endpoint: '{where}', region: eu-west-sbg-snc, bucket: states}}}}\n")
    assert main(["policy", "analyze", str(inventory)]) == 1
    said = capsys.readouterr().err
    assert "`state.s3`" in said and "--state" in said, said
