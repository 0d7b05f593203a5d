# SPDX-License-Identifier: MIT
"""Layers: the same bytes for the same content, and differences that a container sees exactly as meant."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from suite_deploy.images.debian import machine_file
from suite_deploy.images.layers import (
    difference,
    directory,
    system_entries,
    system_index,
    text_file,
    tree_entries,
    write_layer,
)
from suite_deploy.images.store import Part, Store


def members(store: Store, part: Part) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(store.blob(part.digest)) as archive:
        return {member.name: member for member in archive}


def tree(folder: Path, *, backwards: bool = False) -> Path:
    """The same content, made in another order, at another time, by somebody else."""
    names = ["bin/run", "lib/b.txt", "lib/a.txt"]
    for name in reversed(names) if backwards else names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        path.chmod(0o755 if name.startswith("bin") else 0o600 if backwards else 0o644)
        os.utime(path, (1, 1) if backwards else (10**9, 10**9))
    (folder / "current").symlink_to("lib")
    (folder / "lib/__pycache__").mkdir()
    (folder / "lib/__pycache__/a.pyc").write_bytes(os.urandom(8))
    return folder


def test_the_same_content_gives_the_same_digest(tmp_path: Path) -> None:
    digests = set()
    for number, backwards in enumerate((False, True)):
        store = Store(tmp_path / f"store{number}")
        entries = tree_entries(tree(tmp_path / f"tree{number}", backwards=backwards), "/opt/app", "1000:0")
        part = write_layer(store, entries, created_by="app")
        config = {"Env": ["A=1"], "Labels": {"b": "2", "a": "1"}}
        digest = store.write_image(config, [part], architecture="amd64", reference=f"name:{number}")
        digests.add((part.digest, part.diff_id, digest))
    assert len(digests) == 1


def test_other_content_gives_another_digest(tmp_path: Path) -> None:
    store = Store(tmp_path)
    one = write_layer(store, [text_file("a", b"1")], created_by="x")
    two = write_layer(store, [text_file("a", b"2")], created_by="x")
    three = write_layer(store, [text_file("a", b"1", 0o755)], created_by="x")
    assert len({one.digest, two.digest, three.digest}) == 3


def test_entries_are_sorted_timeless_and_owned_as_asked(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    tree_ = tree(tmp_path / "tree")
    part = write_layer(store, tree_entries(tree_, "/opt/app", "1000:0", group_writable=True), created_by="app")
    found = members(store, part)
    assert list(found) == sorted(found)
    assert not [name for name in found if "__pycache__" in name]
    assert {member.mtime for member in found.values()} == {0}
    assert (found["opt"].mode, found["opt"].uid) == (0o755, 0)
    assert (found["opt/app/bin/run"].mode, found["opt/app/bin/run"].uid, found["opt/app/bin/run"].gid) == (
        0o775,
        1000,
        0,
    )
    assert found["opt/app/lib/a.txt"].mode == 0o664
    assert found["opt/app/current"].linkname == "lib"


def test_parents_keep_the_rights_they_have_below(tmp_path: Path) -> None:
    part = write_layer(Store(tmp_path), [text_file("tmp/x/file", b"")], created_by="x", lower={"tmp": (0o1777, 0, 0)})
    found = members(Store(tmp_path), part)
    assert found["tmp"].mode == 0o1777
    assert found["tmp/x"].mode == 0o755
    assert part.directories["tmp"] == (0o1777, 0, 0)


def archive(path: Path, members_: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for info, content in members_:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def regular(name: str, mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(f"./{name}")
    info.mode = mode
    return info


def folder(name: str, mode: int = 0o755) -> tarfile.TarInfo:
    info = tarfile.TarInfo(f"./{name}")
    info.type, info.mode = tarfile.DIRTYPE, mode
    return info


def linked(name: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(f"./{name}")
    info.type, info.linkname = tarfile.LNKTYPE, f"./{target}"
    return info


def nothing(name: str) -> bool:
    return False


def changed(
    tmp_path: Path, lower: list[tuple[tarfile.TarInfo, bytes]], upper: list[tuple[tarfile.TarInfo, bytes]]
) -> dict[str, tuple[bytes, bytes]]:
    """Name → kind and content of what a layer over `lower` holds."""
    index = system_index(archive(tmp_path / "lower.tar", lower), nothing)
    with system_entries(archive(tmp_path / "upper.tar", upper), nothing) as entries:
        found = list(difference(index, entries))
        return {entry.name: (entry.kind, entry.read().read() if entry.read else b"") for entry in found}


def test_a_difference_holds_what_is_new_changed_or_gone_and_nothing_else(tmp_path: Path) -> None:
    common = [(folder("etc"), b""), (regular("etc/same"), b"same"), (folder("gone"), b""), (regular("gone/file"), b"")]
    lower = [*common, (regular("etc/text"), b"old"), (regular("etc/mode"), b""), (regular("etc/removed"), b"")]
    upper = [
        *common[:2],
        (regular("etc/text"), b"new"),
        (regular("etc/mode", 0o600), b""),
        (regular("etc/added"), b""),
    ]
    found = changed(tmp_path, lower, upper)
    # a removed directory is one whiteout, not one for each file in it
    assert set(found) == {"etc/text", "etc/mode", "etc/added", "etc/.wh.removed", ".wh.gone"}


def test_a_time_stamp_is_no_difference(tmp_path: Path) -> None:
    older, newer = regular("a"), regular("a")
    older.mtime, newer.mtime = 1, 2
    assert changed(tmp_path, [(older, b"x")], [(newer, b"x")]) == {}


def test_a_hard_link_to_a_file_of_the_layer_below_becomes_a_file(tmp_path: Path) -> None:
    lower = [(regular("bin/tool"), b"program")]
    found = changed(tmp_path, lower, [*lower, (linked("bin/alias", "bin/tool"), b"")])
    assert found == {"bin/alias": (tarfile.REGTYPE, b"program")}


@pytest.mark.parametrize(
    ("name", "left_out"),
    [
        ("etc/hostname", True),
        ("etc/resolv.conf", True),
        ("etc/machine-id", True),
        ("etc/apt/sources.list", True),
        ("etc/apt/sources.list.d/own-mirror.sources", True),
        ("etc/apt/sources.list.d", False),
        ("etc/apt/auth.conf.d/login.conf", True),
        ("etc/apt/apt.conf.d/99mmdebstrap", True),
        ("etc/apt/apt.conf.d/01autoremove", False),
        ("etc/passwd", False),
        ("etc/passwd-", True),
        ("var/lib/dpkg/status", False),
        ("var/lib/dpkg/status-old", True),
        ("var/cache/debconf/config.dat-old", True),
        ("var/lib/apt/lists/partial", False),
        ("var/lib/apt/lists/mirror_Packages", True),
        ("dev", False),
        ("dev/null", True),
        ("devices/x", False),
    ],
)
def test_the_building_machine_leaves_no_trace(name: str, left_out: bool) -> None:
    assert machine_file(name) is left_out


def test_the_store_is_an_image_layout_that_keeps_its_other_images(tmp_path: Path) -> None:
    store = Store(tmp_path)
    part = write_layer(store, [directory("a")], created_by="x")
    first = store.write_image({}, [part], architecture="amd64", reference="one:1")
    second = store.write_image({"User": "1"}, [part], architecture="amd64", reference="two:1")
    again = store.write_image({"User": "2"}, [part], architecture="amd64", reference="one:1")
    index = json.loads((tmp_path / "index.json").read_text())
    named = {item["annotations"]["org.opencontainers.image.ref.name"]: item["digest"] for item in index["manifests"]}
    assert named == {"one:1": again, "two:1": second}
    assert first != again
    assert json.loads((tmp_path / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    store.blob(part.digest).unlink()
    assert not store.has_image(again)
