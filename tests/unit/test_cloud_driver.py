# SPDX-License-Identifier: MIT
"""The driver of the clouds over a double of the engine: what it is told, what it may know, what a failure leads to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from suite_deploy import main
from suite_deploy.cloud.driver import CloudDriver
from suite_deploy.cloud.engine import backend_url
from suite_deploy.errors import CouldNotRun, InvalidInput
from suite_deploy.model.loader import load
from suite_deploy.secrets.ensure import open_store

from .cloud_support import OPENSTACK, Bench, bench, write_inventory
from .engine_double import step, summary

__all__ = ["bench"]
VOLUME = "openstack:blockstorage/volume:Volume"


def test_up_makes_the_stack_and_records_outputs_without_secrets(bench: Bench) -> None:
    bench.engine.script(
        bench.up_script(**{"stack select": {"status": 255, "stderr": "error: no stack named 'x' found"}})
    )
    outputs = bench.driver.apply(lambda text: None)
    assert outputs.hosts[0].address == "192.0.2.10"
    assert outputs.ssh_known_hosts == bench.state / "known_hosts"
    recorded = (bench.state / "outputs.json").read_text()
    assert "key-of-the-bucket" not in recorded
    assert bench.driver.outputs() == outputs, "read back from the record"
    secrets = bench.state / "stack-secrets.yml"
    assert secrets.stat().st_mode & 0o777 == 0o600
    assert yaml.safe_load(secrets.read_text())["stack_secrets"]["docs.bucket"] == "key-of-the-bucket"
    assert ["stack", "init", "cloudy"] in bench.engine.words()


def test_the_project_is_made_in_the_state_and_the_program_stays_where_it_is(bench: Bench) -> None:
    bench.engine.script(bench.up_script())
    bench.driver.apply(lambda text: None)
    folder = bench.state / "engine" / "openstack"
    project = yaml.safe_load((folder / "Pulumi.yaml").read_text())
    assert project["name"] == "suite-openstack"
    assert Path(project["main"]).parts[-2:] == ("stacks", "openstack")
    settings = yaml.safe_load((folder / "Pulumi.cloudy.yaml").read_text())
    assert settings["config"] == {"suite:inventory": str(bench.deployment.directory)}
    assert bench.engine.call("up")["cwd"] == str(folder)


def test_the_child_knows_credentials_and_passphrase_and_nothing_ambient(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "OS_CLOUD",
        "OS_REGION_NAME",
        "OS_AUTH_URL",
        "PULUMI_ACCESS_TOKEN",
        "PULUMI_BACKEND_URL",
        "AWS_PROFILE",
    ):
        monkeypatch.setenv(name, "ambient")
    monkeypatch.delenv("OS_CLOUD")
    bench.engine.script(bench.up_script())
    bench.driver.apply(lambda text: None)
    known = bench.engine.call("up")["environment"]
    assert "ambient" not in known.values()
    assert known["PULUMI_BACKEND_URL"] == f"file://{bench.state}/engine/state"
    assert known["OS_PASSWORD"] == "not-for-anyone"
    assert known["PULUMI_SKIP_UPDATE_CHECK"] == "true"
    store = open_store(bench.deployment, bench.vault)
    passphrase = store["suite.engine_passphrase"].reveal()
    assert known["PULUMI_CONFIG_PASSPHRASE"] == passphrase
    words = json.dumps(bench.engine.words())
    assert passphrase not in words and "not-for-anyone" not in words, "secrets never in argument lists"


def test_a_refresh_is_part_of_every_run(bench: Bench) -> None:
    bench.engine.script(bench.up_script())
    bench.driver.apply(lambda text: None)
    assert "--refresh" in bench.engine.call("up")["words"]
    assert "--refresh" in bench.engine.call("preview")["words"]


def test_the_policy_pack_is_part_of_every_run(bench: Bench) -> None:
    bench.engine.script(bench.up_script())
    bench.driver.apply(lambda text: None)
    words = bench.engine.call("up")["words"]
    pack = Path(words[words.index("--policy-pack") + 1])
    assert "policies/pack/__main__.py" in (pack / "__main__.py").read_text()


def test_plugins_come_from_the_mirror_where_one_is_named(bench: Bench) -> None:
    inventory = write_inventory(bench.folder, OPENSTACK | {"engine": {"plugins": "https://mirror.example/pulumi"}})
    bench.engine.script(bench.up_script())
    CloudDriver(load(str(inventory)), bench.vault).preview()
    known = bench.engine.call("preview")["environment"]
    assert known["PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES"] == ".*=https://mirror.example/pulumi"


def test_state_in_a_bucket_is_said_with_endpoint_and_region(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    target = {"endpoint": "https://s3.example", "region": "r1", "bucket": "states"}
    inventory = write_inventory(bench.folder, OPENSTACK | {"state": {"s3": target}})
    deployment = load(str(inventory))
    assert not deployment.not_in_this_version
    assert backend_url(deployment) == "s3://states?endpoint=https%3A%2F%2Fs3.example&region=r1&s3ForcePathStyle=true"
    with pytest.raises(CouldNotRun, match="AWS_ACCESS_KEY_ID"):
        CloudDriver(deployment, bench.vault).preview()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "account")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key-of-the-state")
    bench.engine.script(bench.up_script())
    CloudDriver(deployment, bench.vault).preview()
    known = bench.engine.call("preview")["environment"]
    assert known["AWS_SECRET_ACCESS_KEY"] == "key-of-the-state"
    assert known["PULUMI_BACKEND_URL"].startswith("s3://states?")


def test_the_salt_of_a_shared_state_is_taken_from_it(bench: Bench) -> None:
    exported = {"deployment": {"secrets_providers": {"type": "passphrase", "state": {"salt": "of-the-state"}}}}
    bench.engine.script(bench.up_script(**{"stack export": {"stdout": json.dumps(exported)}}))
    bench.driver.preview()
    settings = yaml.safe_load((bench.state / "engine" / "openstack" / "Pulumi.cloudy.yaml").read_text())
    assert settings["encryptionsalt"] == "of-the-state"


def test_without_an_engine_nothing_is_started(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    for call in (bench.driver.preview, lambda: bench.driver.apply(lambda text: None)):
        with pytest.raises(CouldNotRun, match=r"suite-deploy doctor \S+ --fix"):
            call()
    assert not bench.state.joinpath("engine").exists()
    assert bench.driver.outputs() is None, "what does not exist needs no engine to say so"


def test_an_engine_that_is_too_old_is_refused_with_the_version_needed(bench: Bench) -> None:
    bench.engine.script({"version": {"stdout": "v3.100.0\n"}})
    with pytest.raises(CouldNotRun, match=r"3\.100\.0 does not fit: 3\.222\.0") as refused:
        bench.driver.preview()
    assert f"suite-deploy doctor {bench.deployment.given} --fix" in str(refused.value)


def test_a_state_of_another_user_is_said(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*given: object) -> None:
        raise PermissionError(13, "Permission denied", "/state/engine/pack/PulumiPolicy.yaml.tmp")

    monkeypatch.setattr("suite_deploy.cloud.driver.write_whole", denied)
    with pytest.raises(
        CouldNotRun, match=rf"PulumiPolicy(.|\n)*Permission denied(.|\n)*{bench.state}, is of another user"
    ):
        bench.driver.preview()


def test_a_missing_passphrase_names_the_command_that_makes_it(bench: Bench) -> None:
    (bench.deployment.directory / "secrets.yml").unlink()
    with pytest.raises(InvalidInput, match=r"suite\.engine_passphrase(.|\n)*secrets init"):
        bench.driver.preview()


def test_missing_credentials_are_said_and_nothing_is_started(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OS_PASSWORD")
    with pytest.raises(CouldNotRun, match="missing: credentials of the OpenStack project: OS_USERNAME"):
        bench.driver.apply(lambda text: None)
    assert [call["words"] for call in bench.engine.calls] == [["version"]]


def test_preview_says_what_is_new_changed_replaced_and_removed(bench: Bench) -> None:
    events = [
        step("create", "openstack:compute/instance:Instance", "host-one"),
        step("update", "openstack:networking/subnet:Subnet", "subnet-private", keys=["dnsNameservers"]),
        step("create-replacement", VOLUME, "volume-one-postgresql", protect=True),
        step("replace", VOLUME, "volume-one-postgresql", protect=True, keys=["volumeType"]),
        step("delete-replaced", VOLUME, "volume-one-postgresql", protect=True),
        step("delete", "openstack:networking/floatingIp:FloatingIp", "address-one"),
        step("same", "openstack:networking/network:Network", "network-private"),
        step("same", "pulumi:pulumi:Stack", "suite-openstack-cloudy"),
        summary(),
    ]
    bench.engine.script(bench.up_script(preview={"events": events}))
    items = {item.name: item for item in bench.driver.preview()}
    assert {name: item.action for name, item in items.items()} == {
        "host-one": "create",
        "subnet-private": "change",
        "volume-one-postgresql": "replace",
        "address-one": "remove",
        "network-private": "keep",
    }
    assert next(iter(items)) == "volume-one-postgresql", "what destroys data comes first"
    assert items["volume-one-postgresql"].detail == "DATA WOULD BE LOST: REPLACED because of volumeType"


def test_up_refuses_to_replace_a_data_volume_before_anything_is_created(bench: Bench) -> None:
    events = [step("replace", VOLUME, "volume-one-postgresql", protect=True, keys=["volumeType"]), summary()]
    bench.engine.script(bench.up_script(preview={"events": events}))
    with pytest.raises(
        CouldNotRun, match=r"volume-one-postgresql would be replaced with its data, because of volumeType"
    ):
        bench.driver.apply(lambda text: None)
    assert not any(words[0] == "up" for words in bench.engine.words())


def test_up_refuses_what_does_not_fit_before_anything_is_created(bench: Bench) -> None:
    hosts = [
        step("create", "openstack:compute/instance:Instance", f"host-{number}", inputs={"flavorId": "m1-id"})
        for number in range(9)
    ]
    bench.engine.script(bench.up_script(preview={"events": [*hosts, summary()]}))
    with pytest.raises(CouldNotRun, match="vCPU: 18 needed, 16 left of 20"):
        bench.driver.apply(lambda text: None)
    assert not any(words[0] == "up" for words in bench.engine.words())


def test_an_unknown_flavor_is_answered_with_those_there_are(bench: Bench) -> None:
    event = step("create", "openstack:compute/instance:Instance", "host-one", inputs={"flavorId": "m9"})
    bench.engine.script(bench.up_script(preview={"events": [event, summary()]}))
    with pytest.raises(CouldNotRun, match=r"no flavor m9\n.*m1 \(2 vCPU, 4 GiB\)"):
        bench.driver.apply(lambda text: None)


def test_progress_says_what_is_being_made(bench: Bench) -> None:
    event = step("create", "openstack:compute/instance:Instance", "host-one", inputs={"flavorId": "m1-id"})
    event["resourcePreEvent"]["planning"] = False
    bench.engine.script(bench.up_script(up={"events": [event]}))
    lines: list[str] = []
    bench.driver.apply(lines.append)
    assert "creating host-one" in lines


def test_preview_of_a_cloud_shows_plan_quota_and_cost(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.engine.script(bench.up_script())
    command = ["preview", str(bench.deployment.directory), "--vault-password-file", str(bench.vault)]
    assert main.main(command) == 0
    text = capsys.readouterr().out
    assert "resources" in text and "Cost of a month: unknown" in text
    assert "vCPU" in text and "create" in text and "host-one" in text
    assert main.main([*command, "--format", "json", "--exit-code"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["decision"]["resources"] == {"host": {"create": 1}}
    assert [item["what"] for item in document["decision"]["quota"]] == ["hosts", "memory MiB", "vCPU"]


def test_what_takes_two_runs_of_the_program_is_done_in_one_up(bench: Bench) -> None:
    first = {"stdout": json.dumps({"again": "the region GRA11 was opened"})}
    answers = bench.up_script()
    last = answers.pop("stack output --json --show-secrets")
    # asked twice after each run: by the SDK and by us
    bench.engine.script(answers | {"stack output --json --show-secrets": [first, first, last]})
    lines: list[str] = []
    masked = json.dumps({"again": "x", "outputs": {}, "stack_secrets": "[secret]"})
    script = json.loads((bench.engine.folder / "script.json").read_text())
    script["stack output"] = {"stdout": masked}
    (bench.engine.folder / "script.json").write_text(json.dumps(script))
    assert bench.driver.apply(lines.append).hosts
    assert "the region GRA11 was opened" in lines
    assert [words[0] for words in bench.engine.words()].count("up") == 2
