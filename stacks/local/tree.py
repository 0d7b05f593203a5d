# SPDX-License-Identifier: MIT
"""The base system all local hosts start from: built once, cached under the hash of everything that goes into it."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from stacks.local import guest
from stacks.local.layout import Layout
from stacks.local.services import APT_PROXY
from stacks.local.sources import DEBIAN_KEYRING, GUEST_RELEASE, Mirrors, proxy_configuration
from stacks.local.system import (
    DIES_WITH_PARENT,
    mount_points,
    remove_tree,
    run,
    wait_until,
    write_atomically,
    write_if_changed,
)
from suite_deploy.errors import CouldNotRun
from suite_deploy.model.outputs import Progress

BUILD_SECONDS = 1800
#: Documentation nobody reads on a throw-away host; the directory itself stays, openjdk's scripts write into it.
SLIMMING = ("path-exclude=/usr/share/man/*", "path-exclude=/usr/share/locale/*", "path-exclude=/usr/share/doc/*",
            "path-include=/usr/share/doc/*/copyright")  # fmt: skip


@dataclass(frozen=True)
class BaseInputs:
    """Everything the base tree depends on, but the date."""

    mirrors: Mirrors
    #: PEM texts of the outer machine's additional CAs
    cas: tuple[str, ...]

    @property
    def key(self) -> str:
        """Names the tree. A change of this package's recipe changes it too."""
        parts = {
            "command": mmdebstrap_command("ROOT", "SOURCES", "PROXY", self.mirrors.checks),
            "recipe": [inspect.getsource(guest.finish_base), guest.BASE_FILES, guest.ENABLED_UNITS, guest.MASKED_UNITS],
            "sources": self.mirrors.guest_sources(),
            "keyring": _digest(self.mirrors.keyring) if self.mirrors.keyring else "",
            "checks": dict(self.mirrors.checks),
            "cas": list(self.cas),
            "architecture": os.uname().machine,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def mmdebstrap_command(root: str, sources: str, proxy: str, checks: Mapping[str, str]) -> list[str]:
    """The command that installs the base system into `root` through the caching proxy at `proxy`."""
    apt = ["APT::Install-Recommends \"false\"", "Acquire::Languages \"none\"", "Acquire::Check-Valid-Until \"false\"",
           f'Acquire::http::Proxy "{proxy}"',
           *(f'{key} "{value}"' for key, value in sorted(checks.items()))]  # fmt: skip
    return [
        "mmdebstrap", "--variant=minbase", "--mode=root", "--skip=check/empty",
        *(f"--aptopt={option}" for option in apt),
        *(f"--dpkgopt={option}" for option in SLIMMING),
        "--essential-hook=mkdir -p \"$1/usr/share/man/man1\"",
        f"--include={','.join(guest.PACKAGES)}",
        GUEST_RELEASE, root, sources,
    ]  # fmt: skip


def path(layout: Layout, key: str) -> Path:
    return layout.bases / key


def exists(layout: Layout, key: str) -> bool:
    return path(layout, key).is_dir()


def ensure(layout: Layout, inputs: BaseInputs, progress: Progress) -> str:
    """Return the key of a base tree that exists, building it when needed. The caller holds the machine lock.

    An interrupted build leaves a directory that no key names; the next build removes it.
    """
    key = inputs.key
    if exists(layout, key):
        return key
    progress(f"building the hosts' base system, Debian {GUEST_RELEASE} (about a minute, once)")
    layout.bases.mkdir(parents=True, exist_ok=True)
    for left_over in layout.bases.glob(".building-*"):
        _remove(left_over)
    # mmdebstrap wants every directory above to be open to all, its apt user included.
    building = Path(tempfile.mkdtemp(dir=layout.bases, prefix=".building-"))
    building.chmod(0o755)
    try:
        _build(layout, inputs, building)
        (building / "root").rename(path(layout, key))
    finally:
        _remove(building)
    prune(layout, key)
    return key


def _build(layout: Layout, inputs: BaseInputs, building: Path) -> None:
    mirrors = inputs.mirrors
    root = building / "root"
    sources = building / "mirrors.sources"
    outer_keyring = str(mirrors.keyring or DEBIAN_KEYRING)
    guest_keyring = f"/etc/apt/keyrings/{mirrors.keyring.name}" if mirrors.keyring else DEBIAN_KEYRING
    write_atomically(sources, mirrors.guest_sources().replace(guest_keyring, outer_keyring))
    with _proxy(layout, mirrors, building) as proxy:
        command = mmdebstrap_command(str(root), str(sources), proxy, mirrors.checks)
        doing = f"build the base system from {', '.join(mirrors.proxy_mirrors())}"
        run(command, doing=doing, timeout=BUILD_SECONDS, contained=True)
    guest.finish_base(root, sources=mirrors.guest_sources(), checks=mirrors.checks, cas=inputs.cas,
                      keyring=mirrors.keyring)  # fmt: skip


@contextlib.contextmanager
def _proxy(layout: Layout, mirrors: Mirrors, building: Path) -> Iterator[str]:
    """The caching proxy on a loopback port for the length of the build: what it fetches, the hosts find cached."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configuration = building / "proxy.json"
    storage = layout.cache_dir / "apt"
    storage.mkdir(parents=True, exist_ok=True)
    write_atomically(configuration, proxy_configuration(mirrors, ("127.0.0.1", port), storage), 0o600)
    with (building / "proxy.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [*DIES_WITH_PARENT, sys.executable, "-I", str(APT_PROXY), str(configuration)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            if not wait_until(lambda: _listens(port) or process.poll() is not None, 15) or process.poll() is not None:
                said = (building / "proxy.log").read_text(encoding="utf-8", errors="replace")[-2000:]
                raise CouldNotRun(f"the package cache did not start:\n{said}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=10)


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def claim(layout: Layout, key: str, host_directory: Path) -> None:
    """Note that a host's root lies, or will lie, over this tree: it is kept while the host's directory exists."""
    host_directory.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(str(host_directory).encode()).hexdigest()[:16]
    write_if_changed(layout.bases / f"{key}.hosts" / name, str(host_directory))


def prune(layout: Layout, keep: str) -> None:
    """Remove trees no host lies over any more, but the newest recipe's. The caller holds the machine lock."""
    mounted = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    for tree in layout.bases.iterdir() if layout.bases.is_dir() else ():
        if tree.suffix == ".hosts" or tree.name.startswith(".") or tree.name == keep:
            continue
        claims = layout.bases / f"{tree.name}.hosts"
        hosts = [Path(note.read_text(encoding="utf-8")) for note in claims.glob("*")] if claims.is_dir() else []
        if str(tree) not in mounted and not any(host.is_dir() for host in hosts):
            _remove(tree)
            _remove(claims)


def _remove(directory: Path) -> None:
    """Also what a build that was killed left mounted below."""
    for point in sorted((p for p in mount_points() if directory in p.parents), reverse=True):
        run(["umount", "--lazy", point], doing=f"unmount {point}", fails=False)
    remove_tree(directory)
    if directory.exists():
        shutil.rmtree(directory)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
