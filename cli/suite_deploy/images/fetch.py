# SPDX-License-Identifier: MIT
"""Application layers: packages from the Python and Maven registries, through the machine's own clients.

Which registry is asked, with which proxy, credentials and CA, is the business of pip's and Maven's configuration.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

from ..errors import CouldNotRun
from ..runners.process import run
from .layers import Entry, directory, text_file, tree_entries
from .recipe import FileEntry, FilesLayer, MavenLayer, PypiLayer, Run, file_hash, wheel_platforms
from .store import Progress

MAVEN_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
NOBODY = 65534
JAVA_AT_LEAST = 17


def pypi_entries(layer: PypiLayer, beside: Path, work: Path, progress: Progress) -> list[Entry]:
    """Install the locked wheels for the image's Python and return the layer's entries.

    Raises CouldNotRun when a wheel is missing or its hash is not the locked one.
    """
    progress(f"PyPI: {layer.requirements}")
    target = work / "packages"
    command: list[str | Path] = [sys.executable, "-m", "pip", "install", "--quiet", "--target", target]
    command += ["--no-deps", "--require-hashes", "--only-binary=:all:", "--no-compile", "--no-input"]
    command += ["--implementation=cp", f"--python-version={layer.python}", "--root-user-action=ignore"]
    command += [f"--platform={name}" for name in wheel_platforms()]
    run([*command, "-r", beside / layer.requirements])
    scripts = target / "bin"
    moved = work / "scripts"
    if scripts.is_dir():
        scripts.rename(moved)
        for script in moved.iterdir():
            _use_interpreter(script, layer.interpreter)
    for record in target.glob("*.dist-info/RECORD"):
        _forget_scripts(record)
    entries = list(tree_entries(target, layer.into, layer.owner, group_writable=layer.group_writable))
    if moved.is_dir():
        entries += tree_entries(moved, layer.scripts, layer.owner, group_writable=layer.group_writable)
    return entries


def _use_interpreter(script: Path, interpreter: str) -> None:
    """Console scripts name the building machine's Python in their first line."""
    raw = script.read_bytes()
    first, newline, rest = raw.partition(b"\n")
    if first.startswith(b"#!") and b"python" in first:
        script.write_bytes(b"#!" + interpreter.encode() + newline + rest)
    elif raw.startswith(b"#!/bin/sh\n'''exec'"):
        # pip's form for interpreters whose path is too long for the kernel
        script.write_bytes(b"#!" + interpreter.encode() + b"\n" + rest.partition(b"\n' '''\n")[2])


def _forget_scripts(record: Path) -> None:
    """Scripts were moved and changed: their lines in RECORD would hold the building machine's hashes."""
    lines = record.read_text(encoding="utf-8").splitlines(keepends=True)
    record.write_text("".join(line for line in lines if not line.startswith("../../bin/")), encoding="utf-8")


def maven_entries(layer: MavenLayer, work: Path, progress: Progress) -> list[Entry]:
    """Fetch, check and unpack the artifact, run the layer's commands in it and return its entries.

    Raises CouldNotRun when the artifact is not to be had or is not the one the recipe names.
    """
    progress(f"Maven: {layer.group}:{layer.artifact}:{layer.version}")
    downloads = work / "downloads"
    coordinates = f"{layer.group}:{layer.artifact}:{layer.version}:{layer.packaging}"
    run(["mvn", "--batch-mode", "--quiet", MAVEN_COPY, f"-Dartifact={coordinates}", f"-DoutputDirectory={downloads}"])
    artifact = downloads / f"{layer.artifact}-{layer.version}.{layer.packaging}"
    found = file_hash(artifact)
    if found != layer.sha256:
        raise CouldNotRun(f"{coordinates}: its SHA-256 is {found}, the recipe names {layer.sha256}. Nothing was built.")
    tree = work / "tree"
    tree.mkdir()
    if layer.packaging == "jar":
        artifact.rename(tree / artifact.name)
    else:
        unpack = ["tar", "--extract", "--gzip", "--no-same-owner", f"--strip-components={layer.strip}"]
        run([*unpack, "--file", artifact, "--directory", tree])
    for name in layer.directories:
        (tree / name).mkdir(parents=True, exist_ok=True)
    for step in layer.run:
        progress(f"running {' '.join(step.command[:2])}")
        run_step(step, tree, work)
    return list(tree_entries(tree, layer.into, layer.owner, group_writable=layer.group_writable))


def run_step(step: Run, tree: Path, work: Path) -> None:
    """Run one command of a recipe in `tree`: as nobody and without network when started as root."""
    home = work / "home"
    home.mkdir(exist_ok=True)
    search = os.environ.get("PATH", "/usr/bin:/bin")
    environment = {"PATH": search, "HOME": str(home), "TMPDIR": str(home), "LC_ALL": "C.UTF-8", **step.env}
    if "java" in step.tools:
        environment["JAVA_HOME"] = str(java_home())
    command = list(step.command)
    if os.geteuid() == 0:
        for path in (home, tree, *tree.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        identity = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", "--bounding-set=-all"]
        command = ["unshare", "--net", "--ipc", "setpriv", *identity, *command]
    run(command, environment=environment, directory=tree)


def java_home() -> Path:
    """Home of the machine's Java, which must be recent enough. Raises CouldNotRun otherwise."""
    java = shutil.which("java")
    if java is None:
        raise CouldNotRun("Java is missing: install a headless JRE, version 17 or later.")
    home = Path(java).resolve().parent.parent
    release = home / "release"
    found = re.search(
        r'^JAVA_VERSION="(\d+)', release.read_text(encoding="utf-8") if release.is_file() else "", re.MULTILINE
    )
    major = int(found.group(1)) if found else 0
    if major < JAVA_AT_LEAST:
        raise CouldNotRun(f"{java} is Java {major or 'of an unknown version'}; {JAVA_AT_LEAST} or later is needed.")
    return home


def files_entries(layer: FilesLayer, beside: Path) -> Iterator[Entry]:
    """Files, links and directories as written in the recipe."""
    for item in layer.files:
        if item.source is not None and (beside / item.source).is_dir():
            yield from tree_entries(beside / item.source, item.to, item.owner)
        else:
            yield _file_entry(item, beside)


def _file_entry(item: FileEntry, beside: Path) -> Entry:
    name = item.to.strip("/")
    uid, gid = (int(part) for part in item.owner.split(":"))
    if item.directory:
        return directory(name, int(item.mode or "0755", 8), uid, gid)
    if item.link is not None:
        return Entry(name, tarfile.SYMTYPE, 0o777, uid, gid, link=item.link)
    content = item.text.encode() if item.text is not None else (beside / str(item.source)).read_bytes()
    return text_file(name, content, int(item.mode or "0644", 8), uid, gid)
