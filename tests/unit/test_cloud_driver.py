# SPDX-License-Identifier: MIT
"""The driver of the clouds over a double of the engine: what it is told, what it may know, what a failure leads to."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
import yaml

from suite_deploy import main
from suite_deploy.cloud.driver import CloudDriver, backend_url
from suite_deploy.errors import CouldNotRun, InvalidInput
from suite_deploy.model.loader import load
from suite_deploy.secrets.ensure import open_store

from .cloud_support import OPENSTACK, Bench, bench, write_inventory
from .engine_double import error, step, summary, urn

__all__ = ["bench"]
VOLUME = "openstack:blockstorage/volume:Volume"


def said() -> tuple[list[str], object]:
    lines: list[str] = []
    return lines, lines.append


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
        with pytest.raises(CouldNotRun, match="suite-deploy doctor --fix"):
            call()
    assert not bench.state.joinpath("engine").exists()
    assert bench.driver.outputs() is None, "what does not exist needs no engine to say so"


def test_an_engine_that_is_too_old_is_refused_with_the_version_needed(bench: Bench) -> None:
    bench.engine.script({"version": {"stdout": "v3.100.0\n"}})
    with pytest.raises(CouldNotRun, match=r"3\.100\.0 does not fit: 3\.222\.0"):
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


@pytest.mark.parametrize(
    ("message", "happened"),
    [
        ("Authentication failed", "does not accept the credentials"),
        ("No suitable endpoint could be found in the service catalog.", "no such region"),
        ("Quota exceeded for instances: Requested 1, but already used 10 of 10", "no room left"),
        ('Post "https://x/v2.1/servers": dial tcp: connection refused', "Run the same command again once the cloud"),
        ("Flavor m9 could not be found.", "no such flavor"),
        ("incorrect passphrase", "another passphrase"),
        ("could not download plugin openstack", "suite-deploy doctor NAME --fix"),
        ("something nobody has seen before", "the engine could not finish (up)"),
    ],
)
def test_a_failure_says_what_happened_and_what_to_do(bench: Bench, message: str, happened: str) -> None:
    failed = {"events": [error(message, "host-one")], "status": 255, "stderr": "error: update failed"}
    bench.engine.script(bench.up_script(up=failed))
    with pytest.raises(CouldNotRun) as refused:
        bench.driver.apply(lambda text: None)
    text = str(refused.value)
    assert happened in text
    assert f"host-one: {message}" in text
    assert str(bench.state / "logs" / "engine.log") in text


def test_a_second_up_after_a_failure_goes_on(bench: Bench) -> None:
    lost = {"events": [error("connection refused", "host-one")], "status": 255, "stderr": "error: update failed"}
    bench.engine.script(bench.up_script(up=[lost, {"events": []}]))
    with pytest.raises(CouldNotRun):
        bench.driver.apply(lambda text: None)
    assert not (bench.state / "outputs.json").exists()
    assert bench.driver.apply(lambda text: None).hosts


def test_no_secret_is_in_an_error_or_in_the_log(bench: Bench) -> None:
    leaking = {
        "events": [error("refused: password not-for-anyone")],
        "stdout": "body: not-for-anyone\n",
        "stderr": "error: x",
        "status": 255,
    }
    bench.engine.script(bench.up_script(up=leaking))
    with pytest.raises(CouldNotRun) as refused:
        bench.driver.apply(lambda text: None)
    assert "not-for-anyone" not in str(refused.value)
    log = bench.state / "logs" / "engine.log"
    assert "body: [secret:" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_what_an_earlier_run_was_cut_off_at_is_said(bench: Bench) -> None:
    pending = [{"type": "creating", "resource": {"urn": urn("a:b:C", "host-one")}}]
    exported = {"deployment": {"pending_operations": pending}}
    bench.engine.script(bench.up_script(**{"stack export": {"stdout": json.dumps(exported)}}))
    lines: list[str] = []
    bench.driver.apply(lines.append)
    assert any("cut off while creating host-one" in line for line in lines)


LOCKED = (
    "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the"
    " lock file with `pulumi cancel`.\n  file:///x/lock.json: created by {who} (pid {pid}) at 2026-11-22T08:00:00Z"
)


def test_a_lock_of_another_machine_is_explained(bench: Bench) -> None:
    locked = {"stderr": LOCKED.format(who="ann@far-away", pid=7), "status": 255}
    bench.engine.script(bench.up_script(preview=locked))
    with pytest.raises(CouldNotRun) as refused:
        bench.driver.preview()
    text = str(refused.value)
    assert "by ann@far-away since 2026-11-22T08:00:00Z (process 7)" in text
    assert "suite-deploy doctor" in text and "--unlock" in text
    assert ["cancel", "--yes"] not in [words[:2] for words in bench.engine.words()]


def test_a_lock_of_a_dead_process_of_this_machine_is_removed(bench: Bench) -> None:
    gone = LOCKED.format(who=f"ann@{os.uname().nodename}", pid=2**22 + 1)
    bench.engine.script(bench.up_script(preview=[{"stderr": gone, "status": 255}, {"events": [summary()]}]))
    bench.driver.preview()
    assert any(words[0] == "cancel" for words in bench.engine.words())


def test_destroy_keeps_what_is_protected_and_says_so(bench: Bench) -> None:
    left = [
        {"urn": urn(VOLUME, "volume-one-postgresql"), "type": VOLUME, "id": "vol-1", "custom": True, "protect": True},
        {
            "urn": urn("pulumi:providers:openstack", "p"),
            "type": "pulumi:providers:openstack",
            "id": "p",
            "custom": True,
        },
    ]
    bench.engine.script(
        bench.up_script(**{"stack export": {"stdout": json.dumps({"deployment": {"resources": left}})}})
    )
    kept = bench.driver.destroy(lambda text: None, with_data=False)
    assert kept == ["volume vol-1 (volume-one-postgresql)"]
    assert "--exclude-protected" in bench.engine.call("destroy")["words"]
    assert not any(words[:2] == ["stack", "rm"] for words in bench.engine.words())


def test_destroy_with_data_takes_the_protection_off_and_empties_buckets(bench: Bench) -> None:
    bucket = {"urn": urn("openstack:objectstorage/container:Container", "b"), "protect": True}
    bucket |= {"inputs": {"forceDestroy": False}, "outputs": {"forceDestroy": False, "secret": {"4dabf": "cipher"}}}
    state = {"version": 3, "deployment": {"resources": [bucket]}}
    bench.engine.script(bench.up_script(**{"stack export": {"stdout": json.dumps(state)}}))
    assert bench.driver.destroy(lambda text: None, with_data=True) == []
    imported = json.loads((bench.engine.folder / "imported.json").read_text())["deployment"]["resources"][0]
    assert "protect" not in imported
    assert imported["inputs"]["forceDestroy"] is True and imported["outputs"]["forceDestroy"] is True
    assert imported["outputs"]["secret"] == {"4dabf": "cipher"}
    order = [words[:2] for words in bench.engine.words()]
    assert order.index(["stack", "import"]) < [words[0] for words in bench.engine.words()].index("destroy")
    assert "--exclude-protected" not in bench.engine.call("destroy")["words"]
    assert "--show-secrets" not in bench.engine.call("stack", "export")["words"]


def test_destroying_what_was_never_made_is_fine(bench: Bench) -> None:
    bench.engine.script({"stack select": {"status": 255, "stderr": "error: no stack named 'cloudy' found"}})
    assert bench.driver.destroy(lambda text: None, with_data=True) == []


def test_an_interrupt_lets_the_engine_finish_what_is_under_way(bench: Bench) -> None:
    bench.engine.script(bench.up_script(up={"sleep": 60}))
    sleeping = bench.engine.folder / "sleeping"

    def interrupt() -> None:
        deadline = time.monotonic() + 20
        while not sleeping.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    lines: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        bench.driver.apply(lines.append)
    assert (bench.engine.folder / "interrupted").read_text() == str(int(signal.SIGINT))
    assert any("waiting for what is under way" in line for line in lines)


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


def test_what_described_the_suite_goes_and_the_engines_state_stays_with_the_data(bench: Bench) -> None:
    bench.engine.script(bench.up_script())
    bench.driver.apply(lambda text: None)
    bench.driver.destroy(lambda text: None, with_data=False)
    assert not (bench.state / "outputs.json").exists() and not (bench.state / "stack-secrets.yml").exists()
    assert (bench.state / "engine" / "state").is_dir(), "without it nobody would know of the volumes that are kept"
    CloudDriver(bench.deployment, bench.vault).destroy(lambda text: None, with_data=True)
    assert not (bench.state / "engine").exists()


def test_ovhs_buckets_are_emptied_before_they_go(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OVH_APPLICATION_KEY", "OVH_APPLICATION_SECRET", "OVH_CONSUMER_KEY"):
        monkeypatch.setenv(name, f"value of {name}")
    store = {"endpoint": "https://s3.gra.io.cloud.ovh.net", "region": "gra"}
    own = {
        "driver": "ovh",
        "offer": "ovhcloud/public-cloud",
        "region": "GRA11",
        "project": "0123",
        "object_store": store,
    }
    hosts = OPENSTACK["infrastructure"]["hosts"]
    deployment = load(str(write_inventory(bench.folder, OPENSTACK | {"infrastructure": own | {"hosts": hosts}})))
    bucket = {"urn": urn("ovh:CloudProject/storage:Storage", "bucket-docs"), "type": "ovh:CloudProject/storage:Storage"}
    state = {"deployment": {"resources": [bucket | {"inputs": {"name": "cloudy-docs"}, "protect": True}]}}
    bench.engine.script(bench.up_script(**{"stack export": {"stdout": json.dumps(state)}}))
    emptied: list[tuple[str, str, str]] = []

    def empty(name: str, *, endpoint: str, access_key: str, **more: object) -> int:
        emptied.append((name, endpoint, access_key))
        assert not any(words[0] == "destroy" for words in bench.engine.words()), "before the bucket goes"
        return 0

    monkeypatch.setattr("suite_deploy.cloud.emptying.empty_bucket", empty)
    driver = CloudDriver(deployment, bench.vault)
    driver.destroy(lambda text: None, with_data=False)
    assert emptied == [], "data that stays is not touched"
    (bench.engine.folder / "calls.jsonl").unlink()
    driver.destroy(lambda text: None, with_data=True)
    assert emptied == [("cloudy-docs", "https://s3.gra.io.cloud.ovh.net", "account")]
