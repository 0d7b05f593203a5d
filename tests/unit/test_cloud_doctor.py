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
from suite_deploy.cloud import doctor, engine, room
from suite_deploy.errors import CouldNotRun
from suite_deploy.secrets.ensure import open_store

from .cloud_support import AMPLE, OPENSTACK, Bench, bench, write_inventory

__all__ = ["bench"]


class Answer:
    status_code = 300


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
    assert found["engine"]["next_step"] == f"Run: suite-deploy doctor {bench.deployment.directory} --fix"


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

        monkeypatch.setattr(room, "ask", refuse)
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

    doctor._install(engine.pinned(), installer)
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
        doctor._install("3.272.0", installer)


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
