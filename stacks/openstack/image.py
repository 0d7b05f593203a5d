# SPDX-License-Identifier: MIT
"""The hosts' system image: a pinned id, a name with its checksum, or a file that is checked here and uploaded."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pulumi
import requests
from pulumi_openstack import images

from stacks.components.entry import image_gib
from stacks.components.openstack.hosts import BootImage
from stacks.components.openstack.place import PATIENCE, Place
from stacks.openstack.lookup import Found
from suite_deploy.cloud.need import disk_of_image
from suite_deploy.errors import CouldNotRun, InvalidInput, Problem
from suite_deploy.model.deployment import Deployment
from suite_deploy.model.provider import OsImage
from suite_deploy.model.suite import Cloud
from suite_deploy.paths import user_cache

_BLOCK = 1 << 20
#: hashes that an inventory may name
_ALGORITHMS = ("sha256", "sha512")
#: how files begin that are no disk as it is: (first bytes, what they are)
_MAGIC = (
    (b"QFI\xfb", "qcow2"),
    (b"\xfd7zXZ\x00", "compressed with xz"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"PK\x03\x04", "a zip archive"),
)
#: seconds without a byte after which a download counts as lost
_SILENCE = 60


def boot_image(deployment: Deployment, place: Place, found: Found) -> BootImage:
    """The image that hosts boot from.

    Raises InvalidInput when the inventory names none, or the cloud's image is not the one of the checksum; CouldNotRun
    when a download fails or is not what was named.
    """
    infrastructure = deployment.suite.infrastructure
    assert isinstance(infrastructure, Cloud)
    wanted = infrastructure.image
    if wanted is None or not (wanted.id or wanted.name or wanted.url):
        step = "Write `image: {id: …}`, `image: {name: …, sha512: …}` or `image: {url: …, sha256: …}`; Debian 13."
        raise _problem(deployment, "is missing: hosts need a system image.", step)
    if wanted.id:
        return BootImage(wanted.id, image_gib())
    if found.image is not None:
        _check(deployment, wanted, found)
        return BootImage(found.image.id, max(found.image.gib, image_gib()))
    return _uploaded(deployment, wanted, place)


def _check(deployment: Deployment, wanted: OsImage, found: Found) -> None:
    """The cloud's own hash of a named image against the written one; without a written one the policies have spoken.

    Glance keeps one hash of an image, by the algorithm it was configured with when the image came, sha512 by default:
    https://docs.openstack.org/glance/latest/admin/os_hash_algo.html
    """
    assert found.image is not None
    written = wanted.checksums
    if not written:
        return
    properties = found.image.properties
    algorithm, value = properties.get("os_hash_algo", ""), properties.get("os_hash_value", "")
    pin = f"Pin it as it is now with `image: {{id: {found.image.id}}}`."
    if not (algorithm and value):
        said = f"the cloud publishes no hash of it, so its {' and '.join(written)} cannot be compared."
        raise _problem(deployment, f"image {wanted.name!r}: {said}", pin)
    if algorithm not in written:
        said = f"the cloud publishes its {algorithm}, {value}, and not its {' or '.join(written)}."
        if algorithm in _ALGORITHMS:
            pin = f"Once its publisher says the same, write `{algorithm}: {value}` in place of it. {pin}"
        raise _problem(deployment, f"image {wanted.name!r}: {said}", pin)
    if value != written[algorithm]:
        raise _problem(deployment, f"image {wanted.name!r} has {algorithm} {value}, not the written one.", pin)


def _uploaded(deployment: Deployment, wanted: OsImage, place: Place) -> BootImage:
    if not wanted.url or not wanted.sha256:
        raise _problem(deployment, "has a `url` without its `sha256`.", "Write the file's SHA-256 beside it.")
    file = fetched(wanted.url, wanted.sha256, user_cache() / "system-images")
    disk_format = _format(deployment, wanted, file)
    uploaded = images.Image(
        f"image-{wanted.sha256[:12]}",
        name=place.called("system", wanted.sha256[:12]),
        container_format="bare",
        disk_format=disk_format,
        local_file_path=str(file),
        visibility="private",
        region=place.region,
        tags=place.labels,
        opts=pulumi.ResourceOptions(
            provider=place.provider,
            custom_timeouts=PATIENCE,
            # boot volumes may be clones of it, and then a cloud refuses to remove it; it is left to the operator
            retain_on_delete=True,
            # another operator keeps the same file somewhere else
            ignore_changes=["localFilePath"],
        ),
    )
    return BootImage(uploaded.id, disk_of_image(0, _unpacked(file, disk_format)))


def _format(deployment: Deployment, wanted: OsImage, file: Path) -> str:
    """The written format, once the file itself does not contradict it: hosts would not boot, and nobody would know why.

    qcow2 begins with its magic (https://www.qemu.org/docs/master/interop/qcow2.html), raw with anything but another's.
    """
    with file.open("rb") as source:
        start = source.read(max(len(magic) for magic, _ in _MAGIC))
    is_ = next((what for magic, what in _MAGIC if start.startswith(magic)), "raw")
    if is_ != wanted.disk_format:
        found = f"is said to be {wanted.disk_format}, but the file behind {wanted.url} is {is_}."
        step = f"Write `format: {is_}`." if is_ in ("qcow2", "raw") else "Name a file that is not packed: qcow2 or raw."
        raise _problem(deployment, found, step)
    return is_


def _unpacked(file: Path, disk_format: str) -> int:
    """Bytes of the disk inside a file; a qcow2 says so as a big-endian number at byte 24 (qcow2's own description)."""
    if disk_format == "raw":
        return file.stat().st_size
    with file.open("rb") as source:
        return int.from_bytes(source.read(32)[24:], "big")


def fetched(url: str, sha256: str, cache: Path) -> Path:
    """The file behind `url` in `cache`, checked; downloaded when it is not there. Raises CouldNotRun."""
    file = cache / sha256
    if file.is_file() and _digest(file) == sha256:
        return file
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = cache / f"{sha256}.{os.getpid()}.part"
    try:
        with requests.get(url, stream=True, timeout=_SILENCE) as answer, part.open("wb") as target:
            answer.raise_for_status()
            for block in answer.iter_content(_BLOCK):
                target.write(block)
        got = _digest(part)
        if got != sha256:
            raise CouldNotRun(f"{url}: its SHA-256 is {got}, the inventory names {sha256}. Nothing was uploaded.")
        part.replace(file)
    except (requests.RequestException, OSError) as error:
        raise CouldNotRun(f"{url}: cannot be fetched: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return file


def _digest(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _problem(deployment: Deployment, found: str, step: str) -> InvalidInput:
    place = deployment.place("infrastructure", "image")
    return InvalidInput([Problem(place.file, place.line, "infrastructure.image", found, "", step)])
