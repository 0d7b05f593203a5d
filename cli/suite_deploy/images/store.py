# SPDX-License-Identifier: MIT
"""One OCI image layout for all images of this machine: blobs shared, every change atomic, safe for several processes.

blobs/sha256/…  index.json  oci-layout      what OCI tools read
parts/KEY.json                              layers by the hash of what they were made from
recipes/KEY.json                            images by the hash of their recipe
locks/  work/                               one builder per key; scratch, swept when its owner is gone
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from ..errors import CouldNotRun

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
REF_NAME = "org.opencontainers.image.ref.name"
EPOCH = "1970-01-01T00:00:00Z"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Part:
    """One layer in the store. Sizes in bytes; `diff_id` is the digest of the uncompressed archive."""

    digest: str
    diff_id: str
    size: int
    created_by: str
    #: directories that are not 0755 root:root: path → (mode, uid, gid); layers above repeat them as they are
    directories: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    #: `passwd` and `group` of a system layer
    accounts: Mapping[str, str] = field(default_factory=dict)


class Store:
    """The layout below `root`, made when it is first written to."""

    def __init__(self, root: Path):
        self.root = root

    def blob(self, digest: str) -> Path:
        """Path of a blob, whether it is there or not."""
        algorithm, _, value = digest.partition(":")
        if algorithm != "sha256" or len(value) != 64 or not set(value) <= set("0123456789abcdef"):
            raise ValueError(f"{digest!r} is not a sha256 digest")
        return self.root / "blobs" / "sha256" / value

    def has_image(self, digest: str) -> bool:
        """Whether the manifest and every blob it names are there."""
        try:
            manifest = self.manifest(digest)
        except (OSError, ValueError):
            return False
        return all(self.blob(item["digest"]).is_file() for item in (manifest["config"], *manifest["layers"]))

    def manifest(self, digest: str) -> dict[str, Any]:
        """The manifest; raises OSError when it is not there."""
        return _object(self.blob(digest).read_bytes())

    def labels(self, digest: str) -> dict[str, str]:
        """Labels in the image's configuration; raises OSError when the image is not there."""
        config = _object(self.blob(self.manifest(digest)["config"]["digest"]).read_bytes())
        return dict(config.get("config", {}).get("Labels") or {})

    @contextmanager
    def incoming(self) -> Iterator[IO[bytes]]:
        """A scratch file in the store's own file system; `adopt` moves it to its place."""
        with self.workspace() as folder, (folder / "blob").open("w+b") as file:
            yield file

    def adopt(self, file: IO[bytes], digest: str) -> None:
        """Move a finished scratch file to the blob it is."""
        file.flush()
        os.fsync(file.fileno())
        target = self.blob(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        Path(file.name).chmod(0o644)
        Path(file.name).replace(target)

    def put(self, data: bytes) -> str:
        """Store bytes and return their digest."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if not self.blob(digest).is_file():
            with self.incoming() as file:
                file.write(data)
                self.adopt(file, digest)
        return digest

    def write_image(self, config: Mapping[str, Any], parts: list[Part], *, architecture: str, reference: str) -> str:
        """Store configuration and manifest over `parts`, enter it in the index and return the manifest's digest."""
        document = {
            "created": EPOCH,
            "architecture": architecture,
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [part.diff_id for part in parts]},
            "history": [{"created": EPOCH, "created_by": part.created_by} for part in parts],
        }
        raw = _canonical(document)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": self.put(raw), "size": len(raw)},
            "layers": [{"mediaType": LAYER, "digest": part.digest, "size": part.size} for part in parts],
        }
        raw = _canonical(manifest)
        digest = self.put(raw)
        self._enter({"mediaType": MANIFEST, "digest": digest, "size": len(raw), "annotations": {REF_NAME: reference}})
        return digest

    def _enter(self, entry: dict[str, Any]) -> None:
        with self.lock("index"):
            path = self.root / "index.json"
            index: dict[str, Any] = {"schemaVersion": 2, "manifests": []}
            if path.is_file():
                index = _object(path.read_bytes())
            by_name = {item["annotations"][REF_NAME]: item for item in index["manifests"]}
            by_name[entry["annotations"][REF_NAME]] = entry
            index["manifests"] = [by_name[name] for name in sorted(by_name)]
            write_atomically(path, _canonical(index))
            layout = self.root / "oci-layout"
            if not layout.is_file():
                write_atomically(layout, b'{"imageLayoutVersion":"1.0.0"}')

    def part(self, key: str) -> Part | None:
        """The layer made from the inputs with this key, if it is still whole."""
        record = self._record("parts", key)
        if record is None:
            return None
        rights: dict[str, list[int]] = record["directories"]
        directories = {name: (mode, uid, gid) for name, (mode, uid, gid) in rights.items()}
        part = Part(**{**record, "directories": directories})
        return part if self.blob(part.digest).is_file() else None

    def remember_part(self, key: str, part: Part) -> None:
        self._remember("parts", key, asdict(part))

    def image_of(self, key: str) -> str | None:
        """Digest of the image made from the recipe with this key, if it is still whole."""
        record = self._record("recipes", key)
        digest = record["digest"] if record else None
        return digest if digest and self.has_image(digest) else None

    def remember_image(self, key: str, record: Mapping[str, Any]) -> None:
        """`record` holds at least `digest`."""
        self._remember("recipes", key, record)

    def recipe_record(self, key: str) -> dict[str, Any] | None:
        """What was written down when the recipe with this key was built."""
        return self._record("recipes", key)

    def _record(self, kind: str, key: str) -> dict[str, Any] | None:
        try:
            return _object((self.root / kind / f"{key}.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def _remember(self, kind: str, key: str, record: Mapping[str, Any]) -> None:
        path = self.root / kind / f"{key}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, _canonical(record))

    @contextmanager
    def lock(self, name: str, waiting: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold a machine-wide lock; `waiting` is called once when somebody else has it."""
        folder = self._folder("locks")
        with (folder / f"{name}.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if waiting:
                    waiting()
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """A scratch folder, removed at the end; those that an interrupted run left behind are removed too."""
        folder = self._folder("work")
        mine = folder / secrets.token_hex(8)
        with self.lock("work"):
            _sweep(folder)
            mine.mkdir()
            mine.chmod(0o755)
            owner = (folder / f"{mine.name}.owner").open("w")
            fcntl.flock(owner, fcntl.LOCK_EX)
        try:
            yield mine
        finally:
            shutil.rmtree(mine, ignore_errors=True)
            Path(owner.name).unlink(missing_ok=True)
            owner.close()

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        try:
            for path in (*reversed(folder.parents), folder):
                if not path.exists():
                    path.mkdir(exist_ok=True)
                    # whatever the umask: a recipe's commands run as nobody below here
                    path.chmod(0o755)
        except OSError as error:
            why = error.strerror or error
            raise CouldNotRun(f"{folder}: cannot be made: {why}. Choose another cache or use sudo.") from error
        return folder


def _sweep(folder: Path) -> None:
    """Remove the scratch folders whose owner no longer holds its lock."""
    for owner in folder.glob("*.owner"):
        with owner.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(owner.with_suffix(""), ignore_errors=True)
            owner.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace a file so that a reader sees the old or the new content, never a part."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        temporary.write_bytes(data)
        temporary.chmod(mode)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _object(raw: bytes) -> dict[str, Any]:
    value = json.loads(raw)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value
