# SPDX-License-Identifier: MIT
"""Packages from the npm registry by a package-lock.json: fetched, checked, unpacked. No npm, no install script.

The lock's form: https://docs.npmjs.com/cli/v11/configuring-npm/package-lock-json
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import requests

from ..errors import CouldNotRun, InvalidInput, Problem
from .layers import Entry, tree_entries
from .npmrc import NpmSettings, read_npm_settings, session
from .recipe import NpmLayer, architecture
from .store import Progress

MODULES = "node_modules/"
#: Node's names of Debian's architectures
CPUS = {"amd64": "x64", "arm64": "arm64"}
#: as npm writes them, strongest first
ALGORITHMS = ("sha512", "sha384", "sha256", "sha1")
#: downloads at once; seconds to connect, seconds between two bytes
PARALLEL = 6
TIMEOUT = (15.0, 60.0)
_NAME = re.compile(r"(@[A-Za-z0-9~_-][A-Za-z0-9._~-]*/)?[A-Za-z0-9~_-][A-Za-z0-9._~-]*")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]*")


@dataclass(frozen=True)
class Package:
    """One package of a lock. where: its folder below node_modules; programs: command → file in the package."""

    where: str
    name: str
    version: str
    integrity: str
    programs: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def npm_entries(layer: NpmLayer, beside: Path, work: Path, progress: Progress) -> list[Entry]:
    """Fetch the locked packages for this architecture and return the layer's entries.

    Raises InvalidInput for a lock that names anything but registry packages with an integrity, CouldNotRun when
    packages are missing or are not the locked ones: all of them in one message.
    """
    packages = read_package_lock(beside / layer.lock)
    progress(f"npm: {layer.lock}, {len(packages)} packages")
    settings, tree = read_npm_settings(), work / "node_modules"
    tree.mkdir()
    with session(settings, work) as http, ThreadPoolExecutor(PARALLEL) as pool:
        waiting = [(package, pool.submit(_fetch, http, settings, package)) for package in packages]
        failures = []
        for package, result in waiting:
            try:
                unpack(result.result(), tree / package.where)
            except (CouldNotRun, OSError, tarfile.TarError) as error:
                failures.append(f"{package}: {error}")
    if failures:
        raise CouldNotRun("\n".join(["These npm packages could not be had; nothing was built:", *failures]))
    for package in packages:
        _link_programs(tree, package)
    return list(tree_entries(tree, layer.into, layer.owner, group_writable=layer.group_writable))


def read_package_lock(path: Path) -> list[Package]:
    """The packages that a container on this architecture needs, sorted by place: development ones are left out.

    Raises InvalidInput with every entry that cannot be taken from a registry.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidInput([Problem(str(path), 0, "", f"not JSON: {error}")]) from error
    if document.get("lockfileVersion") not in (2, 3):
        found = f"lockfileVersion {document.get('lockfileVersion')}."
        raise InvalidInput([Problem(str(path), 0, "lockfileVersion", found, "Accepted: 2 or 3 (npm 7 or later).")])
    packages, problems = [], []
    for where, entry in sorted(document.get("packages", {}).items()):
        if where == "" or entry.get("dev") or entry.get("inBundle"):
            continue
        fits = _fits(entry)
        if not fits and entry.get("optional"):
            continue
        name = entry.get("name") or where.rpartition(MODULES)[2]
        if wrong := _mistake(where, name, entry) or ("" if fits else "is not made for this operating system or CPU."):
            problems.append(Problem(str(path), 0, f"packages.{where}", wrong))
            continue
        programs = entry.get("bin") or {}
        packages.append(
            Package(where.removeprefix(MODULES), name, entry["version"], _strongest(entry["integrity"]), programs)
        )
    if problems:
        raise InvalidInput(problems)
    return packages


def _mistake(where: str, name: str, entry: Mapping[str, Any]) -> str:
    """Why an entry is no registry package in its place, empty when it is one."""
    places = where.split(MODULES)
    if places[0] or not all(_NAME.fullmatch(place.rstrip("/")) for place in places[1:]) or not _NAME.fullmatch(name):
        return "is no folder below node_modules; only packages of the registry can be taken."
    if entry.get("link") or str(entry.get("resolved", "https:")).partition(":")[0] not in ("https", "http"):
        return "is a link, a file or a repository; only packages of the registry can be taken."
    if not _VERSION.fullmatch(str(entry.get("version", ""))):
        return "has no version."
    if not _strongest(str(entry.get("integrity", ""))):
        return "has no integrity: write the lock anew with npm install --package-lock-only."
    return ""


def _strongest(integrity: str) -> str:
    """The strongest hash of a list, each written `algorithm-base64`."""
    hashes = integrity.split()
    return next((each for kind in ALGORITHMS for each in hashes if each.startswith(f"{kind}-")), "")


def _fits(entry: Mapping[str, Any]) -> bool:
    """Whether a package is for Linux with GNU's C library on this architecture."""
    here = {"os": "linux", "cpu": CPUS[architecture()], "libc": "glibc"}
    return all(_listed(entry.get(key), value) for key, value in here.items())


def _listed(accepted: list[str] | None, value: str) -> bool:
    if not accepted:
        return True
    refused = [each[1:] for each in accepted if each.startswith("!")]
    named = [each for each in accepted if not each.startswith("!")]
    return value not in refused and (not named or value in named or "any" in named)


def _fetch(http: requests.Session, settings: NpmSettings, package: Package) -> bytes:
    """The package's archive, checked. Raises CouldNotRun, and requests' own errors, which are OSErrors."""
    registry = settings.registry(package.name)
    base = package.name.rpartition("/")[2]
    answer = _get(http, settings, f"{registry}{package.name}/-/{base}-{package.version}.tgz")
    if answer.status_code == 404:
        # a registry may keep archives elsewhere; its description of the version says where
        described = _get(http, settings, f"{registry}{package.name.replace('/', '%2F')}/{package.version}")
        if described.status_code == 200:
            answer = _get(http, settings, str(described.json().get("dist", {}).get("tarball", "")))
    if answer.status_code != 200:
        raise CouldNotRun(f"{registry} answered {answer.status_code}")
    kind, _, wanted = package.integrity.partition("-")
    found = base64.b64encode(hashlib.new(kind, answer.content, usedforsecurity=False).digest()).decode()
    if found != wanted:
        raise CouldNotRun(f"its {kind} is {found}, the lock names {wanted}")
    return answer.content


def _get(http: requests.Session, settings: NpmSettings, url: str) -> requests.Response:
    header = settings.authorization(url)
    headers = {"Authorization": header} if header else {}
    return http.get(url, headers=headers, timeout=TIMEOUT, proxies=settings.proxies(url))


def unpack(archive: bytes, target: Path) -> None:
    """Write the files of a package's archive, without its first folder; links are left out, as npm does."""
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:*") as tar:
        for member in tar:
            place = PurePosixPath(member.name)
            if not member.isreg() or len(place.parts) < 2:
                continue
            if place.is_absolute() or ".." in place.parts:
                raise CouldNotRun(f"its archive holds {member.name}, which lies outside the package")
            path = target.joinpath(*place.parts[1:])
            path.parent.mkdir(parents=True, exist_ok=True)
            content = tar.extractfile(member)
            path.write_bytes(content.read() if content else b"")
            path.chmod(0o755 if member.mode & 0o111 else 0o644)


def _link_programs(tree: Path, package: Package) -> None:
    """`.bin` beside the package, as npm makes it."""
    for command, target in _programs(package):
        beside, _, name = package.where.rpartition(MODULES)
        links = tree / beside.rstrip("/") / MODULES / ".bin" if beside else tree / ".bin"
        program = tree / package.where / target
        if program.is_file():
            program.chmod(0o755)
            links.mkdir(exist_ok=True)
            link = links / command
            link.unlink(missing_ok=True)
            link.symlink_to(Path("..") / name / target)


def _programs(package: Package) -> Iterator[tuple[str, str]]:
    """Commands and files, but for those that would lead out of their folders."""
    for command, target in sorted(package.programs.items()):
        clean = PurePosixPath(target)
        if "/" not in command and command not in (".", "..") and not clean.is_absolute() and ".." not in clean.parts:
            yield command, str(clean)
