# SPDX-License-Identifier: MIT
"""Gets what a deployment on a cloud needs of this machine, and says how to get it where its sites are not reached."""

from __future__ import annotations

import importlib.util
import json
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import CouldNotRun
from ..model.deployment import Deployment
from ..model.outputs import Progress
from ..runners.process import capture, clean_environment
from . import engine as engines
from .check import Check
from .sdk import MODULES, provide
from .typed import naming

#: source of the names below it: https://github.com/pulumi/docs/blob/master/data/versions.json
_RELEASES = "https://get.pulumi.com/releases/sdk"
_PAGE = "docs/operator/clouds.md"


def fix(deployment: Deployment | None, progress: Progress) -> None:
    """Get what can be got: packages, the pinned engine where there is none, provider plugins. Raises CouldNotRun."""
    driver = deployment.driver if deployment else None
    if driver in ("local", "existing"):
        return
    with naming(deployment.given if deployment else "NAME"):
        progress("Python packages of the clouds")
        for name in [driver] if driver else list(MODULES):
            provide(name)
        found = engines.find_engine()
        if found is None:
            progress(f"the engine {engines.pinned()}")
            install_engine(engines.pinned())
            found = engines.require_engine()
        mirror = deployment.suite.engine.plugins if deployment else None
        for plugin, version in engines.plugins_wanted(driver or "").items():
            if plugin_check(found, plugin, version).bad:
                progress(f"provider plugin {plugin} {version}")
                _install_plugin(found, plugin, version, mirror)


def install_engine(version: str, installer: Callable[..., Any] | None = None) -> None:
    """The pinned engine into this product's cache, through the SDK's own installer. Raises CouldNotRun."""
    from pulumi.automation import PulumiCommand
    from semver import VersionInfo

    root = engines.cached_root(version)
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise CouldNotRun(
            f"{error.filename}: cannot be written: {error.strerror}.\n  Make it yours, or set XDG_CACHE_HOME."
        ) from error
    try:
        (installer or PulumiCommand.install)(root=str(root), version=VersionInfo.parse(version))
    except Exception as error:
        # The installer downloads and runs a script: anything may go wrong, and every reason has the same way out.
        raise CouldNotRun(
            f"the engine {version} could not be installed: {_reason(error)}\n"
            f"  Where its site is not reached, {unpacked_by_hand(version)}, or put it on PATH: {_PAGE}"
        ) from error


def unpacked_by_hand(version: str) -> str:
    """How an operator puts the engine where this product looks."""
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    archive = f"{_RELEASES}/pulumi-v{version}-linux-{machine}.tar.gz"
    program = engines.cached_root(version) / "bin" / engines.PROGRAM
    return (
        f"unpack the official archive so that {program} exists: {archive},"
        f" its hash in {_RELEASES}/pulumi-{version}-checksums.txt"
    )


def plugin_check(found: engines.Engine | None, name: str, version: str, fixing: str = "") -> Check:
    """Whether a provider plugin is there in the version wanted. found: the engine, which knows those it fetched."""
    title = f"engine: plugin {name}"
    ambient = shutil.which(f"pulumi-resource-{name}")
    if ambient:
        return Check(title, "ok", f"{ambient} (on PATH, wanted {version})")
    step = f"{fixing}. {_from_a_mirror(name, version)}"
    if found is None:
        return Check(title, "not checked", f"wanted {version}; the engine, which would know of it, is missing", step)
    try:
        listed = json.loads(_ask_engine(found, ["plugin", "ls", "--json"]) or "[]")
    except (CouldNotRun, ValueError) as error:
        return Check(title, "wrong", str(error).splitlines()[0], fixing)
    versions = sorted(str(item.get("version", "")) for item in listed if item.get("name") == name)
    if version in versions:
        return Check(title, "ok", version)
    return Check(title, "missing", f"wanted {version}, there is {', '.join(versions) or 'none'}", step)


def _from_a_mirror(plugin: str, version: str) -> str:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    archive = f"pulumi-resource-{plugin}-v{version}-linux-{machine}.tar.gz"
    return f"Where its site is not reached, `engine: {{plugins: https://…}}` names a mirror that has {archive}: {_PAGE}"


def _install_plugin(found: engines.Engine, plugin: str, version: str, mirror: str | None) -> None:
    server = _server_of(plugin)
    words = ["plugin", "install", "resource", plugin, f"v{version}", *(("--server", server) if server else ())]
    try:
        _ask_engine(found, words, mirror)
    except CouldNotRun as error:
        where = f" from the mirror {mirror}" if mirror else ""
        raise CouldNotRun(
            f"the provider plugin {plugin} {version} could not be fetched{where}.\n  {error}\n"
            f"  {_from_a_mirror(plugin, version)}"
        ) from error


def _server_of(plugin: str) -> str:
    """Where a plugin comes from that is none of the engine's makers: its Python package says so."""
    package = next(name for known in engines.PLUGINS.values() for one, name in known if one == plugin)
    spec = importlib.util.find_spec(package.replace("-", "_"))
    file = Path(spec.origin).with_name("pulumi-plugin.json") if spec and spec.origin else None
    return str(json.loads(file.read_text(encoding="utf-8")).get("server", "")) if file and file.is_file() else ""


def _ask_engine(found: engines.Engine, words: list[str], mirror: str | None = None) -> str:
    # Names of plugins are not asked of a service.
    extra = {"PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_DISABLE_REGISTRY_RESOLVE": "true"}
    if mirror:
        extra["PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES"] = f".*={mirror}"
    environment = clean_environment(extra, allow=("PULUMI_HOME",))
    return capture([found.program, "--non-interactive", *words], environment=environment, timeout=600)


def _reason(error: Exception) -> str:
    said = getattr(error, "output", None)
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
