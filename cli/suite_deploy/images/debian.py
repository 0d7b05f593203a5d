# SPDX-License-Identifier: MIT
"""System layers from Debian packages: one base shared by all images, and per image only what differs from it.

mmdebstrap runs the machine's own apt: with its sources (the suite's name exchanged), proxy, credentials and CAs.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..runners.process import capture, clean_environment, run
from .layers import difference, system_entries, system_index, write_layer
from .recipe import BUILDER_VERSION, Debian, architecture, digest_of
from .store import Part, Progress, Store

BASE_PACKAGES = ("ca-certificates",)

#: names that differ between two runs, or that tell about the building machine
_MACHINE_FILES = frozenset(
    {
        "dev",
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
    r"dev/.|etc/apt/(sources\.list|trusted|auth\.conf)|var/lib/apt/lists/.|var/cache/apt/.|var/log/apt/.|proc/.|sys/.|run/."
    r"|etc/(passwd|group|shadow|gshadow|subuid|subgid)-$|var/(lib/dpkg|cache/debconf)/[a-z]+(\.dat)?-old$"
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
)
#: what of the machine's apt configuration must hold for the archive to be reachable
_KEPT_APT_SETTINGS = re.compile(r"Acquire::(?:https?|ftp|Retries|Check-Valid-Until|Check-Date|ForceIPv[46])\b[^ ]* \"[^\"]+\";")


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
        apt.write_text("\n".join((*_APT_OPTIONS, *machine_apt_settings())) + "\n")
        apt.chmod(0o600)
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
        command += [suite, output, *_sources(work, suite)]
        run(command, environment=clean_environment({"SOURCE_DATE_EPOCH": "0", "LC_ALL": "C.UTF-8"}))
        with system_entries(output, machine_file) as entries:
            accounts = {name: _text(entries, f"etc/{name}") for name in ("passwd", "group")}
            if base is None:
                label = f"Debian {suite}"
                return write_layer(store, entries.values(), created_by=label, accounts=accounts)
            changed = list(difference(system_index(store.blob(base.digest), machine_file), entries))
            label = f"Debian {suite}: {' '.join(sorted(packages))}"
            return write_layer(store, changed, created_by=label, lower=base.directories, accounts=accounts)


def _text(entries: dict[str, object], name: str) -> str:
    entry = entries[name]
    read = getattr(entry, "read", None)
    if read is None:
        return ""
    with read() as file:
        return file.read().decode()


def _sources(work: Path, suite: str) -> list[Path]:
    """A sources file for `suite` where the machine has Debian sources; else mmdebstrap's own default is used."""
    text = machine_sources(suite)
    if not text:
        return []
    path = work / "debian.sources"
    path.write_text(text)
    return [path]


def machine_apt_settings() -> Iterator[str]:
    """Settings of the machine's apt that decide how archives are reached."""
    try:
        dump = capture(["apt-config", "dump", "Acquire"], timeout=10)
    except (OSError, subprocess.SubprocessError):
        dump = ""
    yield from (line for line in dump.splitlines() if _KEPT_APT_SETTINGS.fullmatch(line))
    if Path("/etc/apt/auth.conf").is_file():
        yield 'Dir::Etc::netrc "/etc/apt/auth.conf";'
    if Path("/etc/apt/auth.conf.d").is_dir():
        yield 'Dir::Etc::netrcparts "/etc/apt/auth.conf.d/";'


def machine_sources(suite: str, root: Path = Path("/")) -> str:
    """The machine's own Debian archives as deb822 text for another suite; empty when it has none.

    Third-party archives that only use Debian's suite names are recognised by their own keyring and left out.
    """
    codename = _codename(root)
    stanzas = [*_deb822(root), *_one_line(root)]
    texts: list[str] = []
    for uris, suites, components, signed_by in stanzas:
        ours = {codename: suite, f"{codename}-updates": f"{suite}-updates", f"{codename}-security": f"{suite}-security"}
        wanted = [ours[name] for name in suites if name in ours]
        if not wanted or "main" not in components or (signed_by and "debian-archive" not in signed_by):
            continue
        text = f"Types: deb\nURIs: {' '.join(uris)}\nSuites: {' '.join(wanted)}\nComponents: main\n"
        text += f"Signed-By: {signed_by}\n" if signed_by else ""
        if text not in texts:
            texts.append(text)
    return "\n".join(texts)


def _codename(root: Path) -> str:
    release = (root / "etc/os-release").read_text()
    found = re.search(r"^VERSION_CODENAME=\"?([a-z]+)", release, re.MULTILINE)
    return found.group(1) if found else ""


Stanza = tuple[list[str], list[str], list[str], str]


def _deb822(root: Path) -> Iterator[Stanza]:
    for path in sorted((root / "etc/apt/sources.list.d").glob("*.sources")):
        lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
        for block in re.split(r"\n\s*\n", "\n".join(lines)):
            fields = {
                key.strip().lower(): " ".join(value.split())
                for key, value in re.findall(r"^([A-Za-z-]+):((?:.*)(?:\n[ \t].*)*)", block, re.MULTILINE)
            }
            if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() != "no":
                yield (
                    fields.get("uris", "").split(),
                    fields.get("suites", "").split(),
                    fields.get("components", "").split(),
                    fields.get("signed-by", ""),
                )


def _one_line(root: Path) -> Iterator[Stanza]:
    paths = [root / "etc/apt/sources.list", *sorted((root / "etc/apt/sources.list.d").glob("*.list"))]
    for path in paths:
        if not path.is_file():
            continue
        for line in path.read_text().splitlines():
            found = re.match(r"deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]+)", line)
            if found:
                signed_by = re.search(r"signed-by=(\S+)", found.group(1) or "")
                yield [found.group(2)], [found.group(3)], found.group(4).split(), signed_by.group(1) if signed_by else ""
