# SPDX-License-Identifier: MIT
"""System layers from Debian packages: one base shared by all images, and per image only what differs from it.

mmdebstrap runs the machine's own apt: with its sources (the suite's name exchanged), proxy, credentials and CAs.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..paths import share_import
from ..runners.process import capture, clean_environment, run
from .layers import Entry, difference, system_entries, system_index, write_layer
from .recipe import BUILDER_VERSION, Debian, architecture, digest_of
from .store import Part, Progress, Store

BASE_PACKAGES = ("ca-certificates",)
DEBIAN_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

#: names that differ between two runs, or that tell about the building machine
_MACHINE_FILES = frozenset(
    {
        "etc/apt/apt.conf.d/99mmdebstrap",
        "etc/dpkg/dpkg.cfg.d/99mmdebstrap",
        "etc/hostname",
        "etc/machine-id",
        "etc/resolv.conf",
        "var/cache/ldconfig/aux-cache",
        "var/log/alternatives.log",
        "var/log/bootstrap.log",
        "var/log/dpkg.log",
    }
)
_MACHINE_PATTERN = re.compile(
    r"(dev|proc|sys|run)/."
    r"|etc/apt/(sources\.list|auth\.conf)(\.d/.|$)"
    r"|var/lib/apt/lists/(?!partial$)|var/cache/apt/[^/]+\.bin$|var/cache/apt/archives/.*\.deb$|var/log/apt/."
    r"|etc/(passwd|group|shadow|gshadow|subuid|subgid)-$"
    r"|var/(lib/dpkg|cache/debconf)/[a-z]+(\.dat)?-old$"
)
_APT_OPTIONS = (
    'APT::Install-Recommends "false";',
    'Acquire::Languages "none";',
)
_DPKG_OPTIONS = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    # the tree is thrown away when anything goes wrong
    "force-unsafe-io",
)
#: what of the machine's apt configuration must hold for the archive to be reachable
_KEPT_APT_SETTINGS = re.compile(
    r"Acquire::(?:https?|ftp|Retries|Check-Valid-Until|Check-Date|ForceIPv[46])\b[^ ]* \"[^\"]+\";"
)


@dataclass(frozen=True)
class System:
    """The layers of a system, lowest first, and the key of the inputs they were made from."""

    parts: tuple[Part, ...]
    key: str

    @property
    def top(self) -> Part:
        return self.parts[-1]


def machine_file(name: str) -> bool:
    """Whether a name belongs to the machine that built the system and not to the system."""
    return name in _MACHINE_FILES or _MACHINE_PATTERN.match(name) is not None


def build_system(store: Store, wanted: Debian, progress: Progress, *, refresh: bool = False) -> System:
    """The shared base layer and, when packages are asked for, the layer that adds them.

    refresh: fetch the packages' current versions although layers are cached.
    Raises CouldNotRun with mmdebstrap's last lines when the archive cannot be reached or lacks a package.
    """
    base_key = digest_of(["debian", wanted.suite, BASE_PACKAGES, architecture(), BUILDER_VERSION])
    with store.lock(base_key, lambda: progress(f"waiting: Debian {wanted.suite} is being made by another run")):
        base = None if refresh else store.part(base_key)
        if base is None:
            progress(f"Debian {wanted.suite}: base system")
            base = _bootstrap(store, wanted.suite, BASE_PACKAGES, None)
            store.remember_part(base_key, base)
    if not wanted.packages:
        return System((base,), base_key)
    key = digest_of([base.digest, sorted(wanted.packages), BUILDER_VERSION])
    with store.lock(key, lambda: progress("waiting: the same packages are being installed by another run")):
        part = None if refresh else store.part(key)
        if part is None:
            progress(f"Debian {wanted.suite}: {', '.join(wanted.packages)}")
            part = _bootstrap(store, wanted.suite, wanted.packages, base)
            store.remember_part(key, part)
    return System((base, part), key)


def _bootstrap(store: Store, suite: str, packages: Iterable[str], base: Part | None) -> Part:
    """Run mmdebstrap: a system from nothing, or `base` with packages added, of which the difference is kept."""
    with store.workspace() as work:
        apt = work / "apt.conf"
        # a proxy's address may hold a password
        apt.touch(mode=0o600)
        apt.write_text("\n".join((*_APT_OPTIONS, *machine_apt_settings())) + "\n", encoding="utf-8")
        output = work / "system.tar"
        command: list[str | Path] = ["mmdebstrap", "--quiet", "--skip=check/empty", f"--aptopt={apt}"]
        command += [f"--dpkgopt={option}" for option in _DPKG_OPTIONS]
        command += [f"--include={','.join(packages)}"]
        if base is None:
            # some packages' scripts expect the directory that path-exclude leaves out
            command += ["--variant=minbase", '--essential-hook=mkdir -p "$1/usr/share/man/man1"']
        else:
            below = shlex.quote(str(store.blob(base.digest)))
            command += ["--variant=custom", f'--setup-hook=tar -C "$1" -xzf {below}']
        command += [suite, output, _sources(work, suite)]
        # below the workspace: swept if we are killed, and no tmpfs, which may be small and without device files
        variables = {"SOURCE_DATE_EPOCH": "0", "LC_ALL": "C.UTF-8", "TMPDIR": str(work)}
        run(command, environment=clean_environment(variables))
        with system_entries(output, machine_file) as entries:
            accounts = {name: _text(entries, f"etc/{name}") for name in ("passwd", "group")}
            if base is None:
                label = f"Debian {suite}"
                return write_layer(store, entries.values(), created_by=label, accounts=accounts)
            changed = list(difference(system_index(store.blob(base.digest), machine_file), entries))
            label = f"Debian {suite}: {' '.join(sorted(packages))}"
            return write_layer(store, changed, created_by=label, lower=base.directories, accounts=accounts)


def _text(entries: Mapping[str, Entry], name: str) -> str:
    read = entries[name].read
    if read is None:
        return ""
    with read() as file:
        return file.read().decode()


def _sources(work: Path, suite: str) -> Path:
    """A sources file for `suite` on the machine's own Debian mirrors."""
    mirrors = share_import("stacks.local.sources").discover()
    keyring = mirrors.keyring or DEBIAN_KEYRING
    stanzas = [
        f"Types: deb\nURIs: {base}\nSuites: {suite}{suffix}\nComponents: main\nSigned-By: {keyring}\n"
        for suffix, base in mirrors.bases.items()
    ]
    path = work / "debian.sources"
    # a mirror's address may hold a login
    path.touch(mode=0o600)
    path.write_text("\n".join(stanzas), encoding="utf-8")
    return path


def machine_apt_settings() -> list[str]:
    """Settings of the machine's apt that decide how archives are reached."""
    dump = capture(["apt-config", "dump", "Acquire"], timeout=10)
    settings = [line for line in dump.splitlines() if _KEPT_APT_SETTINGS.fullmatch(line)]
    if Path("/etc/apt/auth.conf").is_file():
        settings.append('Dir::Etc::netrc "/etc/apt/auth.conf";')
    if Path("/etc/apt/auth.conf.d").is_dir():
        settings.append('Dir::Etc::netrcparts "/etc/apt/auth.conf.d/";')
    return settings
