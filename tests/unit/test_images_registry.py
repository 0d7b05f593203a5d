# SPDX-License-Identifier: MIT
"""Registries: pushing uploads what is missing and nothing else; those that are away are found out quickly."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from suite_deploy.errors import CouldNotRun
from suite_deploy.images import registry as registry_module
from suite_deploy.images.layers import text_file, write_layer
from suite_deploy.images.registry import LocalRegistry, host_of, unreachable, upstream_digest
from suite_deploy.images.store import Store
from tests.unit.images_fakes import FakeRegistry, fake_registry


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with fake_registry() as running:
        yield running


def image(store: Store, text: bytes = b"content", **config: object) -> str:
    shared = write_layer(store, [text_file("shared", b"base")], created_by="base")
    own = write_layer(store, [text_file("own", text)], created_by="app")
    return store.write_image(config, [shared, own], architecture="amd64", reference="app:1")


def test_a_pushed_image_is_there_by_digest_and_by_tag(tmp_path: Path, registry: FakeRegistry) -> None:
    store, local = Store(tmp_path), LocalRegistry(registry.address)
    digest = image(store, Labels={"a": "b"})
    assert not local.has("quay.io/team/app", digest)
    local.push(store, "quay.io/team/app", digest, "1")
    assert local.has("quay.io/team/app", digest)
    assert registry.manifests[("quay.io/team/app", "1")] == store.blob(digest).read_bytes()
    assert set(registry.blobs) == {item["digest"] for item in json.loads(store.blob(digest).read_text())["layers"]} | {
        store.manifest(digest)["config"]["digest"]
    }
    assert local.labels("quay.io/team/app", digest) == {"a": "b"}
    assert local.reference("quay.io/team/app", digest) == f"{registry.address}/quay.io/team/app@{digest}"


def test_pushing_again_uploads_nothing_and_a_shared_layer_travels_once(tmp_path: Path, registry: FakeRegistry) -> None:
    store, local = Store(tmp_path), LocalRegistry(registry.address)
    first = image(store)
    local.push(store, "app", first, "1")
    registry.requests.clear()
    local.push(store, "app", first, "1")
    assert registry.writes() == []
    local.push(store, "app", image(store, b"other"), "2")
    assert len([line for line in registry.writes() if line.startswith("POST")]) == 2


def test_a_registry_that_refuses_is_named_with_its_words(tmp_path: Path, registry: FakeRegistry) -> None:
    registry.refuse_with = 507
    store = Store(tmp_path)
    with pytest.raises(CouldNotRun, match=rf"{registry.address} answered 507 .*no room"):
        LocalRegistry(registry.address).push(store, "app", image(store), "1")


def test_a_registry_that_is_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(CouldNotRun, match="does not answer: Connection refused"):
        LocalRegistry("127.0.0.1:1").has("app", "sha256:" + "a" * 64)


def test_proxies_of_the_caller_have_no_part(
    tmp_path: Path, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert not LocalRegistry(registry.address).has("app", "sha256:" + "a" * 64)


@pytest.fixture
def mute() -> Iterator[str]:
    """A server that accepts and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_absent_registries_are_found_out_together_in_under_three_seconds(
    mute: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve_slowly(host: str, *arguments: Any, **options: Any) -> Any:
        if host == "slow-dns.invalid":
            time.sleep(20)
        return original(host, *arguments, **options)

    original = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", resolve_slowly)
    started = time.monotonic()
    found = unreachable(["127.0.0.1:1", "nowhere.invalid", "slow-dns.invalid", mute, "127.0.0.1:1"])
    assert time.monotonic() - started < 3
    assert set(found) == {"127.0.0.1:1", "nowhere.invalid", "slow-dns.invalid", mute}
    assert found["127.0.0.1:1"] == "Connection refused"
    assert "no answer in 2.5 s" in found["slow-dns.invalid"]


@pytest.mark.parametrize(
    ("status", "headers", "there"),
    [
        (401, {"WWW-Authenticate": "Bearer"}, True),
        (200, {"Docker-Distribution-API-Version": "registry/2.0"}, True),
        (200, {}, False),
        (302, {"Location": "https://portal.invalid"}, False),
        (403, {}, False),
        (407, {}, False),
    ],
)
def test_a_portal_or_a_filter_is_no_registry(
    monkeypatch: pytest.MonkeyPatch, status: int, headers: dict[str, str], there: bool
) -> None:
    answer = requests.Response()
    answer.status_code = status
    answer.headers.update(headers)
    monkeypatch.setattr("requests.get", lambda *arguments, **options: answer)
    assert (unreachable(["registry.invalid"]) == {}) is there


def test_an_index_is_resolved_to_this_machine_s_variant(monkeypatch: pytest.MonkeyPatch) -> None:
    index: dict[str, Any] = {
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {"digest": "sha256:other", "platform": {"architecture": "s390x", "os": "linux"}},
            {"digest": "sha256:signature", "platform": {"architecture": "unknown", "os": "unknown"}},
            {"digest": "sha256:ours", "platform": {"architecture": "amd64", "os": "linux"}},
        ],
    }
    monkeypatch.setattr(registry_module, "architecture", lambda: "amd64")
    monkeypatch.setattr(registry_module, "capture", lambda command, **options: json.dumps(index))
    assert upstream_digest("registry.invalid/app", "1") == "sha256:ours"
    index["manifests"].pop()
    with pytest.raises(CouldNotRun, match="no variant for amd64"):
        upstream_digest("registry.invalid/app", "1")


def test_the_registry_of_an_image_is_the_beginning_of_its_name() -> None:
    assert host_of("quay.io/keycloak/keycloak:26") == "quay.io"
    assert host_of("registry.invalid:5000/app:1") == "registry.invalid:5000"


def test_a_port_in_an_upstream_name_makes_no_invalid_reference() -> None:
    reference = LocalRegistry("10.0.0.1:5000").reference("registry.invalid:5000/team/app", "sha256:0")
    assert reference == "10.0.0.1:5000/registry.invalid-5000/team/app@sha256:0"
