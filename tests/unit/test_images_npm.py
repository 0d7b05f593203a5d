# SPDX-License-Identifier: MIT
"""npm layers: the locked packages, checked, in their places, and nothing run."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from suite_deploy.errors import CouldNotRun, InvalidInput
from suite_deploy.images import npm
from suite_deploy.images.layers import Entry
from suite_deploy.images.npm import npm_entries, read_package_lock
from suite_deploy.images.npmrc import NpmSettings, read_npm_settings
from suite_deploy.images.recipe import NpmLayer
from tests.checkout import ROOT
from tests.unit.images_npm_registry import NpmRegistry, archive, integrity, npm_registry, package_lock


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[NpmRegistry]:
    """The registry this machine's npm would be set to, and nothing else of its configuration."""
    settings_of(monkeypatch, tmp_path, {})
    with npm_registry() as running:
        monkeypatch.setenv("npm_config_registry", running.address)
        yield running


def settings_of(monkeypatch: pytest.MonkeyPatch, home: Path, files: dict[str, str]) -> None:
    """A machine whose npm configuration is in these files: `user`, `machine`."""
    for name in list(os.environ):
        if name.lower().startswith("npm_config_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("user", "machine"):
        (home / f"{name}.npmrc").write_text(files.get(name, ""))
    monkeypatch.setenv("NPM_CONFIG_USERCONFIG", str(home / "user.npmrc"))
    monkeypatch.setenv("npm_config_globalconfig", str(home / "machine.npmrc"))


def fetched(tmp_path: Path, packages: dict[str, dict[str, Any]]) -> list[Entry]:
    package_lock(tmp_path / "package-lock.json", packages)
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    layer = NpmLayer(kind="npm", lock="package-lock.json", into="/app/node_modules")
    return npm_entries(layer, tmp_path, work, lambda text: None)


def contents(entries: list[Entry]) -> dict[str, bytes | str]:
    return {entry.name: entry.read().read() if entry.read else entry.link for entry in entries if entry.kind != b"5"}


def test_packages_stand_where_node_looks_for_them(tmp_path: Path, registry: NpmRegistry) -> None:
    nested = registry.publish("common", "1.0.0", archive({"index.js": b"old"}))
    packages = {
        "@scope/server": registry.publish("@scope/server", "2.1.0", archive({"lib/a.js": b"a"})),
        "@scope/server/node_modules/common": nested,
        "common": registry.publish("common", "2.0.0", archive({"index.js": b"new"}, root="common-2.0.0")),
    }
    assert contents(fetched(tmp_path, packages)) == {
        "app/node_modules/@scope/server/lib/a.js": b"a",
        "app/node_modules/@scope/server/node_modules/common/index.js": b"old",
        "app/node_modules/common/index.js": b"new",
    }


def test_what_belongs_to_development_or_to_another_machine_is_not_fetched(
    tmp_path: Path, registry: NpmRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npm, "architecture", lambda: "amd64")
    data = archive({"a": b"a"})
    entry = {"version": "1.0.0", "integrity": integrity(data), "optional": True}
    packages = {
        "tester": {**entry, "dev": True},
        "bundled": {**entry, "inBundle": True},
        "mac": {**entry, "os": ["darwin"]},
        "arm": {**entry, "cpu": ["arm64"]},
        "musl": {**entry, "libc": ["musl"]},
        "not-linux": {**entry, "os": ["!linux"]},
        "here": {**registry.publish("here", "1.0.0", data), "os": ["linux"], "cpu": ["x64"], "libc": ["glibc"]},
    }
    assert set(contents(fetched(tmp_path, packages))) == {"app/node_modules/here/a"}
    assert [path for path, _ in registry.asked] == ["/here/-/here-1.0.0.tgz"]


def test_another_archive_than_the_locked_one_is_refused_and_every_failure_is_named(
    tmp_path: Path, registry: NpmRegistry
) -> None:
    good = registry.publish("good", "1.0.0", archive({"a": b"a"}))
    changed = registry.publish("changed", "1.0.0", archive({"a": b"a"})) | {"integrity": integrity(b"other")}
    gone = {"version": "3.0.0", "integrity": integrity(b"")}
    with pytest.raises(CouldNotRun) as refused:
        fetched(tmp_path, {"good": good, "changed": changed, "gone": gone})
    text = str(refused.value)
    assert "changed@1.0.0: its sha512 is" in text and "gone@3.0.0" in text and "answered 404" in text
    assert "good@" not in text


def test_the_strongest_hash_of_a_lock_decides(tmp_path: Path, registry: NpmRegistry) -> None:
    entry = registry.publish("app", "1.0.0", archive({"a": b"a"}))
    weak_lies = {**entry, "integrity": f"sha1-AAAA {entry['integrity']}"}
    assert fetched(tmp_path, {"app": weak_lies})
    strong_lies = {**entry, "integrity": f"{integrity(b'other')} {entry['integrity'].replace('sha512', 'sha256')}"}
    again = tmp_path / "again"
    again.mkdir()
    with pytest.raises(CouldNotRun):
        fetched(again, {"app": strong_lies})


def test_no_install_script_runs_and_programs_are_linked(tmp_path: Path, registry: NpmRegistry) -> None:
    mark = tmp_path / "ran"
    manifest = json.dumps({"name": "tool", "scripts": {"install": f"touch {mark}", "postinstall": f"touch {mark}"}})
    files: dict[str, bytes | tuple[bytes, int]] = {
        "package.json": manifest.encode(),
        "cli.js": b"#!/bin/sh\necho tool\n",
    }
    entry = registry.publish("@scope/tool", "1.0.0", archive(files))
    packages = {
        "@scope/tool": {**entry, "hasInstallScript": True, "bin": {"tool": "cli.js", "../evil": "../../cli.js"}}
    }
    entries = {item.name: item for item in fetched(tmp_path, packages)}
    assert not mark.exists()
    assert [name for name in entries if "/.bin/" in name] == ["app/node_modules/.bin/tool"]
    link = tmp_path / "work/node_modules/.bin/tool"
    assert subprocess.run([link], capture_output=True, text=True, check=True).stdout == "tool\n"


@pytest.mark.parametrize(("root", "name"), [("package", "../../outside"), ("/etc", "passwd"), ("..", "outside")])
def test_an_archive_that_leads_out_of_its_folder_is_refused(
    tmp_path: Path, registry: NpmRegistry, root: str, name: str
) -> None:
    entry = registry.publish("evil", "1.0.0", archive({name: b"x"}, root))
    with pytest.raises(CouldNotRun, match="outside the package"):
        fetched(tmp_path, {"evil": entry})


def test_a_registry_that_keeps_archives_elsewhere_is_asked_where(tmp_path: Path, registry: NpmRegistry) -> None:
    data = archive({"a": b"a"})
    registry.content["/files/app.tgz"] = data
    described = {"dist": {"tarball": f"{registry.address}/files/app.tgz"}}
    registry.content["/@scope%2Fapp/1.0.0"] = json.dumps(described).encode()
    assert fetched(tmp_path, {"@scope/app": {"version": "1.0.0", "integrity": integrity(data)}})


def test_a_busy_registry_is_asked_again(tmp_path: Path, registry: NpmRegistry) -> None:
    entry = registry.publish("app", "1.0.0", archive({"a": b"a"}))
    registry.busy["/app/-/app-1.0.0.tgz"] = [503]
    assert fetched(tmp_path, {"app": entry})
    assert len(registry.asked) == 2


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"resolved": "git+ssh://git@example.org/a.git#1"}, "a repository"),
        ({"resolved": "file:../a"}, "a file"),
        ({"link": True, "resolved": "packages/a"}, "a link"),
        ({"version": ""}, "no version"),
        ({"version": "../1"}, "no version"),
        ({"integrity": ""}, "no integrity"),
        ({"integrity": "md5-AAAA"}, "no integrity"),
        ({"os": ["win32"]}, "not made for this operating system"),
        ({"name": "../../a"}, "no folder below node_modules"),
    ],
)
def test_only_locked_packages_of_the_registry_are_accepted(tmp_path: Path, entry: dict[str, Any], message: str) -> None:
    sound = {"version": "1.0.0", "integrity": integrity(b"")}
    with pytest.raises(InvalidInput, match=message):
        read_package_lock(package_lock(tmp_path / "lock.json", {"a": sound, "b": sound | entry}))


def test_every_mistake_of_a_lock_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    sound = {"version": "1.0.0", "integrity": integrity(b"")}
    entries = {"packages/own": sound, "node_modules/../x": sound, "node_modules/ok": sound}
    path.write_text(json.dumps({"lockfileVersion": 3, "packages": entries}))
    with pytest.raises(InvalidInput) as refused:
        read_package_lock(path)
    assert [problem.key for problem in refused.value.problems] == [
        "packages.node_modules/../x",
        "packages.packages/own",
    ]
    path.write_text(json.dumps({"lockfileVersion": 1, "dependencies": {}}))
    with pytest.raises(InvalidInput, match="Accepted: 2 or 3"):
        read_package_lock(path)
    path.write_text("{")
    with pytest.raises(InvalidInput, match="not JSON"):
        read_package_lock(path)


def test_npm_s_own_configuration_decides_which_registry_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "machine": "registry=https://machine.example/npm/\n@own:registry=https://own.example\n",
        "user": '; a comment\nregistry = "https://user.example/npm"\n',
    }
    settings_of(monkeypatch, tmp_path, files)
    assert read_npm_settings().registry("app") == "https://user.example/npm/"
    assert read_npm_settings().registry("@own/app") == "https://own.example/"
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "https://variable.example")
    assert read_npm_settings().registry("app") == "https://variable.example/"
    settings_of(monkeypatch, tmp_path, {})
    assert read_npm_settings().registry("app") == "https://registry.npmjs.org/"


def test_credentials_go_to_their_registry_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", "from-variable")
    lines = [
        "//one.example/npm/:_authToken=${TOKEN_OF_TEST}",
        "//two.example/:username=alice",
        "//two.example/:_password=c2VjcmV0",
        "//three.example:_auth=YTpi",
    ]
    settings_of(monkeypatch, tmp_path, {"user": "\n".join(lines)})
    settings = read_npm_settings()
    assert settings.authorization("https://one.example/npm/a/-/a-1.tgz") == "Bearer from-variable"
    assert settings.authorization("https://two.example/a/-/a-1.tgz") == "Basic YWxpY2U6c2VjcmV0"
    assert settings.authorization("https://three.example/a") == "Basic YTpi"
    for url in ("https://one.example/other/a.tgz", "https://one.example.org/npm/a", "https://four.example/a"):
        assert settings.authorization(url) is None


def test_the_login_is_sent_with_each_request(
    tmp_path: Path, registry: NpmRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = registry.address.removeprefix("http:")
    settings_of(monkeypatch, tmp_path, {"user": f"registry={registry.address}\n{host}/:_authToken=t0ken\n"})
    fetched(tmp_path, {"app": registry.publish("app", "1.0.0", archive({"a": b"a"}))})
    assert {header for _, header in registry.asked} == {"Bearer t0ken"}


def test_proxies_and_authorities_are_npm_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings_of(monkeypatch, tmp_path, {})
    settings = NpmSettings({"https-proxy": "http://proxy.example:3128", "noproxy": "near.example"})
    assert settings.proxies("https://far.example/a") == {"https": "http://proxy.example:3128"}
    assert settings.proxies("https://near.example/a") == {}
    monkeypatch.setenv("https_proxy", "http://machine.example:3128")
    assert NpmSettings({}).proxies("https://far.example/a") == {"https": "http://machine.example:3128"}
    assert NpmSettings({"cafile": "/own.pem"}).authorities(tmp_path) == "/own.pem"
    extra = tmp_path / "extra.pem"
    extra.write_text("EXTRA")
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(extra))
    joined = Path(str(NpmSettings({}).authorities(tmp_path))).read_text()
    assert joined.endswith("\nEXTRA") and "BEGIN CERTIFICATE" in joined


def test_locks_of_the_project_name_no_registry() -> None:
    locks = [path for path in ROOT.rglob("package-lock.json") if "node_modules" not in path.parts]
    assert [str(path) for path in locks if '"resolved"' in path.read_text()] == []
    for path in locks:
        assert read_package_lock(path), path
