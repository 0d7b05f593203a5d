# SPDX-License-Identifier: MIT
"""A system image that is fetched and uploaded: its format is what the inventory says and what the file is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from suite_deploy.errors import InvalidInput
from suite_deploy.model.loader import load
from suite_deploy.paths import user_cache
from tests.stacks.conftest import MakeInventory
from tests.stacks.openstack_mocks import IMAGES, SHOWN, Cloud, identifier
from tests.stacks.support import Recorded, project_of, run_program

QCOW2, RAW = b"QFI\xfb\x00\x00\x00\x03" + bytes(64), bytes(446) + b"\x00" * 64 + b"\x55\xaa"
ZIPPED = b"\xfd7zXZ\x00" + bytes(64)


def kept(content: bytes) -> str:
    """The file as an earlier download left it; its SHA-256."""
    digest = hashlib.sha256(content).hexdigest()
    folder = user_cache() / "system-images"
    folder.mkdir(parents=True)
    (folder / digest).write_bytes(content)
    return digest


@pytest.fixture
def run(make_inventory: MakeInventory, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def start(content: bytes | None, config: Mapping[str, str] | None = None, **image: str) -> Recorded:
        given = {"infrastructure.image": image if content is None else {"sha256": kept(content), **image}}
        folder = make_inventory("example-openstack-accepted", given)
        environment = {"SUITE_DEPLOY_INVENTORY": str(folder)}
        return run_program(project_of("openstack"), Cloud(), stack="x", environment=environment, config=config)

    return start


@pytest.mark.parametrize(
    ("content", "image", "wanted"),
    [
        (QCOW2, {"url": "https://images.example/debian-13.qcow2"}, "qcow2"),
        (QCOW2, {"url": "https://images.example/debian-13.QCOW2?mirror=1"}, "qcow2"),
        (RAW, {"url": "https://images.example/debian-13.raw"}, "raw"),
        (QCOW2, {"url": "https://images.example/noble-server.img", "format": "qcow2"}, "qcow2"),
        (RAW, {"url": "https://images.example/disk.img", "format": "raw"}, "raw"),
    ],
)
def test_an_image_is_uploaded_as_what_it_is(run: Any, content: bytes, image: dict[str, str], wanted: str) -> None:
    (uploaded,) = run(content, **image).of("Image")
    assert uploaded.inputs["diskFormat"] == wanted
    assert uploaded.retained, "boot volumes may be clones of it: a cloud refuses to remove what others stand on"


@pytest.mark.parametrize(
    ("content", "image", "said"),
    [
        (QCOW2, {"url": "https://images.example/x.raw"}, "is said to be raw, but the file behind .* is qcow2"),
        (RAW, {"url": "https://images.example/x.img", "format": "qcow2"}, "is said to be qcow2, but .* is raw"),
        (ZIPPED, {"url": "https://images.example/x.img", "format": "raw"}, "is compressed with xz"),
    ],
)
def test_a_file_of_another_format_is_refused_before_it_is_uploaded(
    run: Any, content: bytes, image: dict[str, str], said: str
) -> None:
    with pytest.raises(pulumi.RunError, match=said) as refused:
        run(content, **image)
    assert "infrastructure.image" in str(refused.value) and "suite.yml:" in str(refused.value)


@pytest.mark.parametrize("name", ["noble-server-cloudimg-amd64.img", "debian-13", "debian-13.raw.xz", "disk.qcow2.bak"])
def test_a_name_that_does_not_say_the_format_asks_for_it(make_inventory: MakeInventory, name: str) -> None:
    image = {"url": f"https://images.example/{name}", "sha256": "a" * 64}
    with pytest.raises(InvalidInput) as refused:
        load(str(make_inventory("example-openstack-accepted", {"infrastructure.image": image})))
    said = str(refused.value)
    assert "suite.yml:" in said and "does not say its format" in said and "`format: qcow2` or `format: raw`" in said


def test_a_format_without_a_file_is_refused(make_inventory: MakeInventory) -> None:
    image = {"name": "Debian 13", "format": "raw"}
    with pytest.raises(InvalidInput, match="`format` goes with `url`"):
        load(str(make_inventory("example-openstack-accepted", {"infrastructure.image": image})))


#: what a cloud may say of an image, and the checksum that an inventory then names
HASHES = {"sha256": "c" * 64, "sha512": "d" * 128}


def glance(monkeypatch: pytest.MonkeyPatch, algorithm: str, value: str) -> None:
    monkeypatch.setitem(IMAGES, "Debian 13", {"os_hash_algo": algorithm, "os_hash_value": value})


@pytest.mark.parametrize("algorithm", HASHES)
@pytest.mark.parametrize("written", [("sha256",), ("sha512",), ("sha256", "sha512")], ids=", ".join)
def test_a_named_image_is_held_against_the_hash_that_the_cloud_publishes(
    run: Any, monkeypatch: pytest.MonkeyPatch, algorithm: str, written: tuple[str, ...]
) -> None:
    glance(monkeypatch, algorithm, HASHES[algorithm])
    image = {"name": "Debian 13", **{name: HASHES[name] for name in written}}
    if algorithm in written:
        devices = [item.inputs["blockDevices"][0] for item in run(None, **image).of("Instance")]
        assert {device["uuid"] for device in devices} == {identifier("image", "Debian 13")}
        return
    with pytest.raises(pulumi.RunError) as refused:
        run(None, **image)
    said = str(refused.value)
    assert f"the cloud publishes its {algorithm}, {HASHES[algorithm]}, and not its {written[0]}" in said
    assert f"`{algorithm}: {HASHES[algorithm]}`" in said and "suite.yml:" in said, "what to write stands there"


@pytest.mark.parametrize("algorithm", HASHES)
def test_another_image_under_the_name_is_refused(run: Any, monkeypatch: pytest.MonkeyPatch, algorithm: str) -> None:
    glance(monkeypatch, algorithm, "e" * len(HASHES[algorithm]))
    said = f"image 'Debian 13' has {algorithm} {'e' * len(HASHES[algorithm])}, not the written one"
    with pytest.raises(pulumi.RunError, match=said):
        run(None, name="Debian 13", **HASHES)


@pytest.mark.parametrize(("algorithm", "said"), [("", "publishes no hash of it"), ("sha1", "publishes its sha1, ")])
def test_a_hash_that_proves_nothing_is_refused(
    run: Any, monkeypatch: pytest.MonkeyPatch, algorithm: str, said: str
) -> None:
    glance(monkeypatch, algorithm, "f" * 40 if algorithm else "")
    with pytest.raises(pulumi.RunError, match=said) as refused:
        run(None, name="Debian 13", **HASHES)
    assert f"`image: {{id: {identifier('image', 'Debian 13')}}}`" in str(refused.value)
    assert "`sha1:" not in str(refused.value)


@pytest.mark.parametrize("image", [{"url": "https://images.example/x.raw", "sha256": "a" * 64}, {"id": "0a1b"}])
def test_a_sha512_goes_with_a_name(make_inventory: MakeInventory, image: dict[str, str]) -> None:
    given = {"infrastructure.image": {**image, "sha512": "a" * 128}}
    with pytest.raises(InvalidInput, match="`sha512` goes with `name`"):
        load(str(make_inventory("example-openstack-accepted", given)))


def boot_volumes(recorded: Recorded) -> set[int]:
    return {int(item.inputs["blockDevices"][0]["volumeSize"]) for item in recorded.of("Instance")}


@pytest.mark.parametrize(
    ("shown", "size"),
    [
        ({}, 20),
        ({"minDiskGb": 40, "sizeBytes": 2 << 30, "diskFormat": "qcow2"}, 40),
        ({"minDiskGb": 0, "sizeBytes": 25 << 30, "diskFormat": "qcow2"}, 20),
        ({"minDiskGb": 0, "sizeBytes": (25 << 30) + 1, "diskFormat": "raw"}, 26),
    ],
    ids=["nothing-said", "minimum", "packed", "raw"],
)
def test_a_boot_volume_holds_the_named_image(run: Any, monkeypatch: pytest.MonkeyPatch, shown: Any, size: int) -> None:
    monkeypatch.setitem(SHOWN, "Debian 13", shown)
    assert boot_volumes(run(None, name="Debian 13")) == {size}


@pytest.mark.parametrize(("gib", "size"), [(30, 30), (3, 20)])
def test_a_boot_volume_holds_the_disk_inside_an_uploaded_file(run: Any, gib: int, size: int) -> None:
    """A qcow2 says at its 24th byte how large a disk it holds."""
    content = QCOW2[:8] + bytes(16) + (gib << 30).to_bytes(8, "big") + bytes(64)
    assert boot_volumes(run(content, url="https://images.example/debian-13.qcow2")) == {size}


@pytest.mark.parametrize(("told", "size"), [({}, 20), ({"suite:image_gib": "33"}, 33), ({"suite:image_gib": "3"}, 20)])
def test_a_boot_volume_holds_an_image_by_its_id_as_the_driver_found_it(run: Any, told: Any, size: int) -> None:
    assert boot_volumes(run(None, config=told, id="0a1b2c3d-0a1b-4c3d-8e5f-0a1b2c3d4e5f")) == {size}


@pytest.mark.parametrize(("told", "size"), [("40", 40), ("3", 25)])
def test_a_boot_volume_holds_what_only_the_driver_could_learn_of_a_named_image(
    run: Any, monkeypatch: pytest.MonkeyPatch, told: str, size: int
) -> None:
    monkeypatch.setitem(SHOWN, "Debian 13", {"minDiskGb": 25, "sizeBytes": 2 << 30, "diskFormat": "qcow2"})
    assert boot_volumes(run(None, config={"suite:image_gib": told}, name="Debian 13")) == {size}
