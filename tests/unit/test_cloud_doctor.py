# SPDX-License-Identifier: MIT
"""`doctor`: what is there, what is missing, how to get it; values of credentials are never shown."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests

from suite_deploy import main
from suite_deploy.cloud import asking, engine, installing
from suite_deploy.errors import CouldNotRun
from suite_deploy.secrets.ensure import open_store

from .cloud_support import AMPLE, OPENSTACK, Bench, bench, on_ovh, write_inventory

__all__ = ["bench"]


class Answer:
    def __init__(self, status: int = 300, type: str = "application/json") -> None:
        self.status_code, self.headers = status, {"Content-Type": type}


@pytest.fixture(autouse=True)
def reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "get", lambda url, **options: Answer())


def checks(bench: Bench, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, dict[str, dict[str, Any]]]:
    status = main.main(["doctor", str(bench.deployment.directory), "--format", "json", *options])
    document = json.loads(capsys.readouterr().out)
    return status, {item["name"]: item for item in document["checks"]}


def with_plugin(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (bench.engine.folder / "pulumi-language-python").write_text("")
    wanted = engine.plugins_wanted("openstack")["openstack"]
    listed = json.dumps([{"name": "openstack", "kind": "resource", "version": wanted}])
    bench.engine.script({"plugin ls": {"stdout": listed}})


def test_everything_is_there(bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with_plugin(bench, monkeypatch)
    status, found = checks(bench, capsys)
    assert status == 0, found
    assert found["engine"]["found"].startswith("3.272.0")
    assert "on PATH" in found["engine"]["found"]
    assert found["credentials: openstack"]["found"] == "environment: OS_PASSWORD, OS_PROJECT_NAME, OS_USERNAME"
    assert found["reach: cloud"]["found"] == "https://ops.elastx.cloud:5000/v3 (HTTP 300)"
    assert found["sign-in and region"]["status"] == "ok"
    assert "not-for-anyone" not in json.dumps(found)


def test_without_an_engine_it_says_how_to_get_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    status, found = checks(bench, capsys)
    assert status == 3
    assert found["engine"]["status"] == "missing"
    step, version = found["engine"]["next_step"], engine.pinned()
    assert step.startswith(
        f"Run: suite-deploy doctor {bench.deployment.directory} --fix. Where its site is not reached"
    )
    assert f"/releases/sdk/pulumi-v{version}-linux-" in step and f"engine/{version}/bin/pulumi exists" in step
    assert found["engine"]["found"].endswith(f"wanted {version}")
    wanted = engine.plugins_wanted("openstack")["openstack"]
    assert found["engine: plugin openstack"]["found"].startswith(f"wanted {wanted}; the engine")
    assert f"has pulumi-resource-openstack-v{wanted}-linux-" in found["engine: plugin openstack"]["next_step"]


def test_without_an_inventory_a_missing_engine_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert main.main(["doctor"]) == 0
    assert "only clouds need it" in capsys.readouterr().out


def test_a_plugin_of_another_version_is_missing(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    (bench.engine.folder / "pulumi-language-python").write_text("")
    bench.engine.script({"plugin ls": {"stdout": '[{"name": "openstack", "kind": "resource", "version": "1.0.0"}]'}})
    status, found = checks(bench, capsys)
    assert status == 3
    assert found["engine: plugin openstack"]["found"].endswith("there is 1.0.0")


def test_wrong_credentials_and_a_wrong_region_are_told_apart(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_plugin(bench, monkeypatch)
    for sentence in ("the cloud does not accept the credentials", "the cloud has no region 'se-sto'"):

        def refuse(deployment: Any, credentials: Any, sentence: str = sentence) -> Any:
            raise CouldNotRun(sentence)

        monkeypatch.setattr(asking, "ask", refuse)
        status, found = checks(bench, capsys)
        assert (status, found["sign-in and region"]["found"]) == (3, sentence)


def test_a_cloud_that_cannot_be_reached_is_said(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_plugin(bench, monkeypatch)

    def refuse(url: str, **options: Any) -> Any:
        raise requests.ConnectionError("name or service not known")

    monkeypatch.setattr(requests, "get", refuse)
    status, found = checks(bench, capsys)
    assert status == 3
    assert "name or service not known" in found["reach: cloud"]["found"]
    assert found["sign-in and region"]["status"] == "not checked"


def test_missing_credentials_are_named(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OS_USERNAME")
    status, found = checks(bench, capsys)
    assert status == 3
    assert "OS_APPLICATION_CREDENTIAL_ID" in found["credentials"]["next_step"]
    assert found["credentials"]["found"] == "only environment: OS_PASSWORD, OS_PROJECT_NAME"
    for name in ("OS_PASSWORD", "OS_PROJECT_NAME"):
        monkeypatch.delenv(name)
    _, found = checks(bench, capsys)
    assert found["credentials"]["found"] == "none in the environment, nor in a file of the cloud's own tools"
    assert "not-for-anyone" not in json.dumps(found)


def test_the_public_key_that_hosts_are_told_is_looked_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = bench.folder / "home" / ".ssh" / "id_ed25519.pub"
    _, found = checks(bench, capsys)
    assert (found["SSH public key"]["status"], found["SSH public key"]["found"]) == ("ok", str(key))
    key.unlink()
    status, found = checks(bench, capsys)
    assert (status, found["SSH public key"]["status"]) == (3, "missing")
    assert str(key) in found["SSH public key"]["found"] and "ssh-keygen" in found["SSH public key"]["next_step"]


def test_secrets_are_looked_at_and_never_shown(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    path, wanted = bench.deployment.secrets_file, bench.deployment.secrets_wanted
    values = [secret.reveal() for secret in open_store(bench.deployment, bench.vault).values()]
    _, found = checks(bench, capsys)
    assert found["secrets"]["found"] == f"{path}: all {len(wanted)}; not opened, no vault password was given"
    _, found = checks(bench, capsys, "--vault-password-file", str(bench.vault))
    assert found["secrets"]["status"] == "ok"
    assert found["secrets"]["found"].startswith(f"{path}: all {len(wanted)}, opened with {bench.vault}")
    assert not [value for value in values if value in json.dumps(found)]


def test_missing_secrets_and_a_password_that_opens_none_stand_in_the_way(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.vault.write_text("another")
    status, found = checks(bench, capsys, "--vault-password-file", str(bench.vault))
    assert (status, found["secrets"]["status"]) == (3, "wrong")
    bench.deployment.secrets_file.unlink()
    status, found = checks(bench, capsys)
    assert (status, found["secrets"]["status"]) == (3, "missing")
    assert "suite.engine_passphrase" in found["secrets"]["found"]
    assert found["secrets"]["next_step"] == f"Run: suite-deploy secrets init {bench.deployment.directory}"


def test_outscales_store_takes_the_root_users_key_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("OSC_ACCESS_KEY", "OSC_SECRET_KEY"):
        monkeypatch.setenv(name, "not-for-anyone")
    cloud: dict[str, Any] = {"driver": "outscale", "offer": "outscale/public-cloud", "region": "eu-west-2"}
    cloud |= {"hosts": {"one": {"groups": ["edge", "apps", "data"], "flavor": "tinav6.c4r16p2"}}}
    store = {"object_store": {"endpoint": "https://oos.eu-west-2.outscale.com", "region": "eu-west-2"}}
    more: dict[str, Any]
    for more, said in (({}, False), (store, True)):
        write_inventory(bench.folder, OPENSTACK | {"infrastructure": cloud | more})
        _, found = checks(bench, capsys)
        assert ("key for the object store" in found) == said
    assert "root user" in found["key for the object store"]["found"]
    assert "not-for-anyone" not in json.dumps(found)


def test_fix_installs_the_pinned_engine_into_the_cache(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    asked: list[str] = []

    def installer(root: str, version: object) -> None:
        asked.append(str(version))
        (Path(root) / "bin").mkdir(parents=True)
        for file in bench.engine.folder.iterdir():
            (Path(root) / "bin" / file.name).write_bytes(file.read_bytes())
        (Path(root) / "bin" / "pulumi").chmod(0o755)

    installing.install_engine(engine.pinned(), installer)
    assert asked == [engine.pinned()]
    found = engine.find_engine()
    assert found is not None and found.where == "cache"
    assert found.program == engine.cached_root(engine.pinned()) / "bin" / "pulumi"


def test_an_engine_on_path_wins_over_the_cache(bench: Bench) -> None:
    cached = engine.cached_root(engine.pinned()) / "bin" / "pulumi"
    cached.parent.mkdir(parents=True)
    cached.write_text("#!/bin/sh\necho v9.9.9\n")
    cached.chmod(0o755)
    found = engine.find_engine()
    assert found is not None and found.where == "PATH" and found.program == bench.engine.program


def test_an_engine_that_cannot_be_fetched_says_where_to_put_one(bench: Bench) -> None:
    def installer(root: str, version: object) -> None:
        raise subprocess.CalledProcessError(22, "install.sh", output=b"curl: (6) Could not resolve host\n")

    with pytest.raises(CouldNotRun, match=r"Could not resolve host\n.*official archive"):
        installing.install_engine("3.272.0", installer)


def test_a_cache_that_cannot_be_written_is_said(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (bench.folder / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(bench.folder / "file"))
    with pytest.raises(CouldNotRun, match=r"/file/\S*: cannot be written: Not a directory\.\n  .*XDG_CACHE_HOME"):
        installing.install_engine("3.272.0", lambda **given: None)


def test_a_plugin_that_cannot_be_fetched_says_what_a_mirror_would_hold(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.engine.script({"plugin install": {"status": 1, "stderr": "no route to host"}})
    assert main.main(["doctor", str(bench.deployment.directory), "--fix"]) == 1
    said = capsys.readouterr().err
    assert "could not be fetched" in said and "no route to host" in said
    assert "`engine: {plugins: https://…}` names a mirror that has pulumi-resource-openstack-v" in said


def test_a_plugin_of_another_maker_is_fetched_from_where_its_package_says(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    installing.fix(on_ovh(bench, monkeypatch), lambda text: None)
    calls = [call for call in bench.engine.calls if call["words"][:2] == ["plugin", "install"]]
    assert [call["words"][3:4] + call["words"][5:] for call in calls] == [
        ["openstack"],
        ["ovh", "--server", "github://api.github.com/ovh/pulumi-ovh"],
    ]
    assert all(call["environment"]["PULUMI_DISABLE_REGISTRY_RESOLVE"] == "true" for call in calls)


@pytest.mark.parametrize(
    ("answer", "said"), [(Answer(503), "answers HTTP 503"), (Answer(200, "text/html; charset=utf-8"), "a page for")]
)
def test_what_answers_in_place_of_the_cloud_is_no_way_to_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: Answer, said: str
) -> None:
    with_plugin(bench, monkeypatch)
    monkeypatch.setattr(requests, "get", lambda url, **options: answer)
    status, found = checks(bench, capsys)
    assert status == 3 and said in found["reach: cloud"]["found"] and found["reach: cloud"]["next_step"]


def test_what_policies_refuse_around_the_inventory_is_said(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_plugin(bench, monkeypatch)
    monkeypatch.setenv("OS_REGION_NAME", "elsewhere")
    status, found = checks(bench, capsys)
    assert status == 3 and "OS_REGION_NAME" in found["policies"]["found"]
    assert found["policies"]["next_step"] == f"Run: suite-deploy check {bench.deployment.given}"


def test_a_chosen_entry_that_is_not_there_hides_no_other_row(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_plugin(bench, monkeypatch)
    monkeypatch.delenv("OS_PASSWORD")
    monkeypatch.setenv("OS_CLOUD", "nope")
    (bench.folder / "clouds.yaml").write_text("clouds: {lab: {}}")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(bench.folder / "clouds.yaml"))
    _, found = checks(bench, capsys)
    assert "OS_CLOUD says 'nope'; the file has: lab" in found["credentials"]["found"]
    assert found["credentials"]["next_step"] == "Set it to one of these."
    assert found["reach: cloud"]["status"] == "ok" and found["sign-in and region"]["status"] == "not checked"


def test_a_broken_table_of_prices_is_said(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_plugin(bench, monkeypatch)
    (bench.deployment.directory / "prices.yml").write_text("curency: EUR\n")
    status, found = checks(bench, capsys)
    assert status == 3 and "prices.yml" in found["prices"]["found"]


def test_fix_fetches_missing_plugins_from_the_mirror(bench: Bench) -> None:
    inventory = write_inventory(bench.folder, OPENSTACK | {"engine": {"plugins": "https://mirror.example/p"}})
    main.main(["doctor", str(inventory), "--fix"])
    call = bench.engine.call("plugin", "install")
    version = engine.plugins_wanted("openstack")["openstack"]
    assert call["words"] == ["plugin", "install", "resource", "openstack", f"v{version}"]
    assert call["environment"]["PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES"] == ".*=https://mirror.example/p"


def test_unlock_removes_the_engines_lock(bench: Bench) -> None:
    main.main(["doctor", str(bench.deployment.directory), "--unlock", "--vault-password-file", str(bench.vault)])
    assert any(words[0] == "cancel" for words in bench.engine.words())


def test_unlock_without_an_inventory_is_a_usage_error() -> None:
    assert main.main(["doctor", "--unlock"]) == 2


def test_the_room_of_the_double_is_ample() -> None:
    assert all(left.free for left in AMPLE.left.values())
