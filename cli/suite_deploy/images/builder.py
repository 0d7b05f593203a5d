# SPDX-License-Identifier: MIT
"""From a recipe to an image in the store: each layer once per input, each image once per recipe."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .debian import DEBIAN_KEYRING, System, build_system
from .fetch import files_entries, maven_entries, pypi_entries
from .golang import go_entries
from .layers import Entry, text_file, write_layer
from .npm import npm_entries
from .recipe import (
    BUILDER_VERSION,
    RECIPE_LABEL,
    Account,
    AnyLayer,
    Config,
    GoLayer,
    MavenLayer,
    NpmLayer,
    PypiLayer,
    Recipe,
    architecture,
    digest_of,
    layer_files,
    source_hash,
)
from .store import Part, Progress, Store

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#: program → Debian package that brings it
_PACKAGE_OF = {"mmdebstrap": "mmdebstrap", "mvn": "maven", "java": "default-jre-headless"}


@dataclass(frozen=True)
class Built:
    """An image in the store. seconds: how long building took, 0 when it was there already."""

    reference: str
    digest: str
    seconds: float
    built: str


def required_packages(recipe: Recipe) -> list[str]:
    """Debian packages this machine lacks for building `recipe`, sorted."""
    packages = {_PACKAGE_OF[tool] for tool in _tools(recipe) if shutil.which(tool) is None}
    if not DEBIAN_KEYRING.is_file():
        packages.add("debian-archive-keyring")
    if packages & {"maven"}:
        # Maven brings a Java of its own
        packages.discard("default-jre-headless")
    return sorted(packages)


def _tools(recipe: Recipe) -> set[str]:
    tools = {"mmdebstrap"}
    for layer in recipe.content.layers:
        if isinstance(layer, MavenLayer):
            tools |= {"mvn", *(tool for step in layer.run for tool in step.tools)}
    return tools


def is_built(store: Store, recipe: Recipe) -> str | None:
    """Digest of the image when it is in the store already."""
    return store.image_of(recipe.key)


def build(store: Store, recipe: Recipe, progress: Progress, *, refresh: bool = False) -> Built:
    """Make the image unless the store has it; two processes asking for the same one build it once.

    refresh: build although it is there, with the packages' current versions.
    Raises CouldNotRun with the failing tool's last lines; what was finished until then is kept.
    """
    started = time.monotonic()
    asked = datetime.now(UTC)
    with store.lock(recipe.key, lambda: progress(f"waiting: {recipe.reference} is being built by another run")):
        record = store.recipe_record(recipe.key)
        digest = store.image_of(recipe.key)
        made_meanwhile = record is not None and datetime.fromisoformat(record["built"]) >= asked
        if digest and record and (not refresh or made_meanwhile):
            return Built(recipe.reference, digest, 0.0, record["built"])
        system = build_system(store, recipe.content.debian, progress, refresh=refresh)
        parts = [*system.parts, *_application(store, recipe, system, progress, refresh)]
        digest = store.write_image(image_config(recipe), parts, architecture=architecture(), reference=recipe.reference)
        seconds = round(time.monotonic() - started, 1)
        built = datetime.now(UTC).isoformat(timespec="seconds")
        store.remember_image(
            recipe.key, {"digest": digest, "reference": recipe.reference, "built": built, "seconds": seconds}
        )
        progress(f"{recipe.reference}: built in {seconds:.0f} s, {sum(part.size for part in parts) // 2**20} MiB")
        return Built(recipe.reference, digest, seconds, built)


def _application(store: Store, recipe: Recipe, system: System, progress: Progress, refresh: bool) -> Iterable[Part]:
    below = system.top
    if recipe.content.accounts:
        entries = account_entries(recipe.content.accounts, below.accounts)
        below = write_layer(store, entries, created_by="accounts", lower=below.directories)
        yield below
    for layer in recipe.content.layers:
        files = {name: source_hash(recipe.folder / name) for name in sorted(layer_files(layer))}
        inputs = [layer.model_dump(mode="json"), files, architecture(), below.directories, BUILDER_VERSION]
        key = digest_of(inputs)
        part = None if refresh else store.part(key)
        if part is None:
            with store.workspace() as work:
                entries = _entries(store, layer, recipe.folder, work, progress)
                label = f"{layer.kind}: {_title(layer)}"
                progress(f"packing {label}")
                part = write_layer(store, entries, created_by=label, lower=below.directories)
            store.remember_part(key, part)
        below = part
        yield part


def _entries(store: Store, layer: AnyLayer, beside: Path, work: Path, progress: Progress) -> list[Entry]:
    if isinstance(layer, PypiLayer):
        return pypi_entries(layer, beside, work, progress)
    if isinstance(layer, MavenLayer):
        return maven_entries(layer, work, progress)
    if isinstance(layer, NpmLayer):
        return npm_entries(layer, beside, work, progress)
    if isinstance(layer, GoLayer):
        return go_entries(layer, store, work, progress)
    return list(files_entries(layer, beside))


def _title(layer: AnyLayer) -> str:
    if isinstance(layer, PypiLayer):
        return layer.requirements
    if isinstance(layer, NpmLayer):
        return layer.lock
    if isinstance(layer, MavenLayer):
        return f"{layer.group}:{layer.artifact}:{layer.version}"
    if isinstance(layer, GoLayer):
        return f"{layer.module}@{layer.version}"
    return " ".join(entry.to for entry in layer.files)


def account_entries(accounts: Iterable[Account], existing: Any) -> list[Entry]:
    """The system's passwd and group with the recipe's accounts added."""
    passwd, group = existing["passwd"], existing["group"]
    known_groups = {line.split(":")[2] for line in group.splitlines()}
    for account in accounts:
        passwd += f"{account.name}:x:{account.uid}:{account.gid}::{account.home}:/usr/sbin/nologin\n"
        if str(account.gid) not in known_groups:
            group += f"{account.name}:x:{account.gid}:\n"
            known_groups.add(str(account.gid))
    return [text_file("etc/passwd", passwd.encode()), text_file("etc/group", group.encode())]


def image_config(recipe: Recipe) -> dict[str, Any]:
    """The image's configuration in the words of the OCI image specification."""
    wanted: Config = recipe.content.config
    environment = {"PATH": DEFAULT_PATH, **wanted.env}
    config: dict[str, Any] = {
        "Env": [f"{name}={value}" for name, value in sorted(environment.items())],
        "Labels": {**wanted.labels, RECIPE_LABEL: recipe.key},
    }
    optional = {
        "Entrypoint": list(wanted.entrypoint),
        "Cmd": list(wanted.cmd),
        "User": wanted.user,
        "WorkingDir": wanted.workdir,
        "ExposedPorts": {port: {} for port in wanted.ports},
        "Volumes": {path: {} for path in wanted.volumes},
    }
    return config | {name: value for name, value in optional.items() if value}
