# SPDX-License-Identifier: MIT
"""Layers as deterministic archives: names sorted, times zero, the same bytes for the same content.

A layer is written from entries; entries come from a staged tree, from an archive of a whole system, or from the
difference of two systems.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from .store import Part, Store

#: speed over size: layers travel over a bridge, and the same level everywhere keeps digests equal
COMPRESSION = 1
CHUNK = 1024 * 1024
ROOT_DIRECTORY = (0o755, 0, 0)
CAPABILITY = "SCHILY.xattr.security.capability"


@dataclass(frozen=True)
class Entry:
    """One name in a layer. `read` opens a file's content; `link` is a symbolic link's text."""

    name: str
    kind: bytes
    mode: int
    uid: int
    gid: int
    size: int = 0
    link: str = ""
    read: Callable[[], IO[bytes]] | None = None
    capability: str = ""

    def rights(self) -> tuple[Any, ...]:
        """Everything a container sees of it but the content."""
        return (self.kind, self.mode, self.uid, self.gid, self.size, self.link, self.capability)

    def content_hash(self) -> str:
        """Hex SHA-256 of a file's content, empty for anything else."""
        if self.read is None:
            return ""
        with self.read() as file:
            result = hashlib.sha256()
            while chunk := file.read(CHUNK):
                result.update(chunk)
            return result.hexdigest()


def directory(name: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> Entry:
    return Entry(name, tarfile.DIRTYPE, mode, uid, gid)


def text_file(name: str, text: bytes, mode: int = 0o644, uid: int = 0, gid: int = 0) -> Entry:
    return Entry(name, tarfile.REGTYPE, mode, uid, gid, len(text), read=lambda: io.BytesIO(text))


class _Compressor:
    """Takes the archive's bytes, writes them compressed, and knows both digests."""

    def __init__(self, target: IO[bytes]):
        self.target = target
        self.offset = 0
        self.plain = hashlib.sha256()
        self.packed = hashlib.sha256()
        self.size = 0
        # 16 + window bits: a gzip header without name and time
        self.gzip = zlib.compressobj(COMPRESSION, zlib.DEFLATED, 16 + zlib.MAX_WBITS)

    def write(self, data: bytes) -> int:
        self.plain.update(data)
        self.offset += len(data)
        self._emit(self.gzip.compress(data))
        return len(data)

    def tell(self) -> int:
        return self.offset

    def finish(self) -> None:
        self._emit(self.gzip.flush())

    def _emit(self, data: bytes) -> None:
        self.packed.update(data)
        self.size += len(data)
        self.target.write(data)


def write_layer(
    store: Store,
    entries: Iterable[Entry],
    *,
    created_by: str,
    lower: Mapping[str, tuple[int, int, int]] | None = None,
    accounts: Mapping[str, str] | None = None,
) -> Part:
    """Write one layer into the store.

    lower: unusual directories of the layers below, path → (mode, uid, gid); parents of entries are repeated as
    they are there (0755 root:root unless listed), because a layer that omits them would change their rights.
    """
    by_name = _with_parents(entries, lower or {})
    unusual = {
        name: rights
        for name, entry in by_name.items()
        if entry.kind == tarfile.DIRTYPE and (rights := (entry.mode, entry.uid, entry.gid)) != ROOT_DIRECTORY
    }
    with store.incoming() as file:
        sink = _Compressor(file)
        stream = cast(IO[bytes], sink)
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as archive:
            for name in sorted(by_name):
                _add(archive, by_name[name])
        sink.finish()
        digest = f"sha256:{sink.packed.hexdigest()}"
        store.adopt(file, digest)
    diff_id = f"sha256:{sink.plain.hexdigest()}"
    return Part(digest, diff_id, sink.size, created_by, {**(lower or {}), **unusual}, dict(accounts or {}))


def _with_parents(entries: Iterable[Entry], lower: Mapping[str, tuple[int, int, int]]) -> dict[str, Entry]:
    by_name = {entry.name: entry for entry in entries}
    for name in list(by_name):
        for parent in _parents(name):
            if parent not in by_name:
                by_name[parent] = directory(parent, *lower.get(parent, ROOT_DIRECTORY))
    return by_name


def _parents(name: str) -> Iterator[str]:
    head = name.rpartition("/")[0]
    while head:
        yield head
        head = head.rpartition("/")[0]


def _add(archive: tarfile.TarFile, entry: Entry) -> None:
    info = tarfile.TarInfo(entry.name)
    info.type, info.mode, info.uid, info.gid = entry.kind, entry.mode, entry.uid, entry.gid
    info.mtime, info.uname, info.gname, info.linkname = 0, "", "", entry.link
    if entry.capability:
        info.pax_headers = {CAPABILITY: entry.capability}
    if entry.read is None:
        archive.addfile(info)
        return
    info.size = entry.size
    with entry.read() as content:
        archive.addfile(info, content)


def tree_entries(tree: Path, into: str, owner: str, *, group_writable: bool = False) -> Iterator[Entry]:
    """Everything below `tree` as it shall stand at the image path `into`, with rights reduced to two kinds."""
    uid, gid = (int(part) for part in owner.split(":"))
    prefix = into.strip("/")
    yield directory(prefix, 0o775 if group_writable else 0o755, uid, gid)
    for folder, folders, files in os.walk(tree):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        base = Path(folder)
        for name in sorted([*folders, *files]):
            path = base / name
            yield _staged(path, f"{prefix}/{path.relative_to(tree).as_posix()}", uid, gid, group_writable)


def _staged(path: Path, name: str, uid: int, gid: int, group_writable: bool) -> Entry:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return Entry(name, tarfile.SYMTYPE, 0o777, uid, gid, link=str(path.readlink()))
    executable = stat.S_ISDIR(status.st_mode) or bool(status.st_mode & 0o111)
    mode = (0o755 if executable else 0o644) | (0o020 if group_writable else 0)
    if stat.S_ISDIR(status.st_mode):
        return directory(name, mode, uid, gid)
    return Entry(name, tarfile.REGTYPE, mode, uid, gid, status.st_size, read=lambda: path.open("rb"))


@contextmanager
def system_entries(archive: Path, leave_out: Callable[[str], bool]) -> Iterator[dict[str, Entry]]:
    """The entries of a system archive by name, without those that `leave_out` names; hard links become files."""
    with tarfile.open(archive, "r:*") as tar:
        yield {entry.name: entry for entry in _system(tar, leave_out)}


def _system(tar: tarfile.TarFile, leave_out: Callable[[str], bool]) -> Iterator[Entry]:
    for member in tar:
        name = member.name.removeprefix("./").strip("/")
        if name in ("", ".") or leave_out(name):
            continue
        capability = member.pax_headers.get(CAPABILITY, "")
        if member.islnk():
            target = tar.getmember(member.linkname)
            yield _regular(tar, name, target, capability)
        elif member.isreg():
            yield _regular(tar, name, member, capability)
        elif member.isdir() or member.issym():
            yield Entry(name, member.type, member.mode, member.uid, member.gid, link=member.linkname)


def _regular(tar: tarfile.TarFile, name: str, member: tarfile.TarInfo, capability: str) -> Entry:
    def read() -> IO[bytes]:
        content = tar.extractfile(member)
        assert content is not None
        return content

    return Entry(
        name, tarfile.REGTYPE, member.mode, member.uid, member.gid, member.size, read=read, capability=capability
    )


def system_index(archive: Path, leave_out: Callable[[str], bool]) -> dict[str, tuple[Any, ...]]:
    """What `difference` compares with: every name of a system and its identity, read in one pass."""
    with tarfile.open(archive, "r:*") as tar:
        return {entry.name: (*entry.rights(), entry.content_hash()) for entry in _system(tar, leave_out)}


def difference(lower: Mapping[str, tuple[Any, ...]], upper: Mapping[str, Entry]) -> Iterator[Entry]:
    """What a layer over `lower` must hold so that a container sees `upper`, removals included."""
    for name, entry in upper.items():
        below = lower.get(name)
        # contents are read only where everything else is equal
        if below is None or below[:-1] != entry.rights() or below[-1] != entry.content_hash():
            yield entry
    for name in lower:
        parent, _, last = name.rpartition("/")
        if name not in upper and (not parent or _is_directory(upper.get(parent))):
            yield text_file(f"{parent}/.wh.{last}" if parent else f".wh.{last}", b"")


def _is_directory(entry: Entry | None) -> bool:
    return entry is not None and entry.kind == tarfile.DIRTYPE
