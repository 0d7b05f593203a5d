# SPDX-License-Identifier: MIT
"""A system image that is fetched and uploaded: its format is what the inventory says and what the file is."""

from __future__ import annotations

import hashlib
from typing import Any

import pulumi
import pytest

from suite_deploy.errors import InvalidInput
from suite_deploy.model.loader import load
from suite_deploy.paths import user_cache
from tests.stacks.conftest import MakeInventory
from tests.stacks.openstack_mocks import Cloud
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

    def start(content: bytes, **image: str) -> Recorded:
        given = {"infrastructure.image": {"sha256": kept(content), **image}}
        folder = make_inventory("example-openstack-accepted", given)
        return run_program(
            project_of("openstack"), Cloud(), stack="x", environment={"SUITE_DEPLOY_INVENTORY": str(folder)}
        )

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
