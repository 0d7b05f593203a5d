# SPDX-License-Identifier: MIT
"""The infrastructure engine (the Pulumi command line): where it is, which version, and how to get it."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal
from urllib.parse import urlencode

from ..errors import CouldNotRun
from ..model.deployment import Deployment
from ..model.statefiles import ENGINE
from ..paths import user_cache
from ..runners.process import capture, clean_environment
from .sdk import locked_version

PROGRAM = "pulumi"
#: the inventory that the engine's children work on: the variable wins over the stack's configuration
INVENTORY_VARIABLE = "SUITE_DEPLOY_INVENTORY"
INVENTORY_KEY = "suite:inventory"
#: the stack's configuration: size → flavor of derived hosts, as JSON
FLAVORS_KEY = "suite:flavors"
#: the stack's configuration: GiB of the disk that the cloud's own image needs
IMAGE_KEY = "suite:image_gib"
#: the stack's configuration: identifier of the project that the credentials are of
PROJECT_KEY = "suite:project"
#: runs programs in Python; shipped beside the engine
LANGUAGE_HOST = "pulumi-language-python"
#: the first one that boots policy packs in Python without hanging
OLDEST = (3, 222, 0)
#: driver → (provider plugin, the Python package that names its version)
PLUGINS: dict[str, tuple[tuple[str, str], ...]] = {
    "openstack": (("openstack", "pulumi-openstack"),),
    "ovh": (("openstack", "pulumi-openstack"), ("ovh", "pulumi-ovh")),
    # its provider classes are Python and live in this product
    "outscale": (),
}


@dataclass(frozen=True)
class Engine:
    """An engine that was found. where: the operator's own on PATH, or the one in this product's cache."""

    program: Path
    version: str
    where: Literal["PATH", "cache"]

    @property
    def usable(self) -> bool:
        """Whether this product can work with that version."""
        numbers = version_of(self.version)
        return OLDEST <= numbers < (OLDEST[0] + 1,)

    @property
    def root(self) -> Path:
        """The folder the SDK's installer calls its root: it holds `bin/`."""
        return self.program.parent.parent


def version_of(text: str) -> tuple[int, int, int]:
    """`v3.272.0` → (3, 272, 0); zeros for what is no version."""
    match = re.match(r"^v?(\d+)\.(\d+)\.(\d+)", text.strip())
    return (int(match[1]), int(match[2]), int(match[3])) if match else (0, 0, 0)


def pinned() -> str:
    """The engine's version that belongs to the installed SDK, else to the locked one. Raises CouldNotRun without."""
    try:
        return metadata.version("pulumi")
    except metadata.PackageNotFoundError:
        locked = locked_version("pulumi")
    if locked is None:
        raise CouldNotRun("the engine's Python packages are not installed: pip install 'suite-deploy[cloud]'")
    return locked


def cached_root(version: str) -> Path:
    """Where this product keeps an engine of its own; `bin/pulumi` below it is taken when it is there."""
    return user_cache() / "engine" / version


def find_engine() -> Engine | None:
    """The engine to use: the one on PATH, else the pinned one in the cache, else None."""
    on_path = shutil.which(PROGRAM)
    if on_path:
        return Engine(Path(on_path).absolute(), _version(Path(on_path)), "PATH")
    try:
        program = cached_root(pinned()) / "bin" / PROGRAM
    except CouldNotRun:
        return None
    return Engine(program, _version(program), "cache") if os.access(program, os.X_OK) else None


def require_engine(inventory: str = "NAME") -> Engine:
    """The engine to use. inventory: how the operator calls it, for the next step.

    Raises CouldNotRun, with that step, when there is none or its version does not fit.
    """
    engine = find_engine()
    if engine is None:
        raise CouldNotRun(
            "the infrastructure engine (pulumi) is not installed: nothing was started.\n"
            f"  Run: suite-deploy doctor {inventory} --fix   (installs the pinned version for you alone)\n"
            "  Or put the official program on PATH; where downloads are not allowed: docs/operator/clouds.md."
        )
    if not engine.usable:
        oldest = ".".join(map(str, OLDEST))
        raise CouldNotRun(
            f"{engine.program}: version {engine.version} does not fit: {oldest} or a newer {OLDEST[0]}.x is needed.\n"
            f"  Upgrade it, or take it off PATH and run: suite-deploy doctor {inventory} --fix"
        )
    return engine


def plugins_wanted(driver: str) -> dict[str, str]:
    """Provider plugin → version, as the Python packages want them; "" when nobody says. Empty: a driver without any."""
    return {plugin: _package_version(package) for plugin, package in PLUGINS.get(driver, ())}


def project_name(deployment: Deployment) -> str:
    """What the engine calls the program of this deployment; its stack is called like the suite."""
    return f"suite-{deployment.driver}"


def backend_url(deployment: Deployment) -> str:
    """Where the engine keeps its state: a folder of the state directory, or the inventory's bucket; never a service."""
    state = deployment.suite.state
    if state and state.s3:
        target = state.s3
        options = {"endpoint": target.endpoint, "region": target.region, "s3ForcePathStyle": "true"}
        return f"s3://{target.bucket}?{urlencode(options)}"
    folder = _state_folder(deployment)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return f"file://{folder}"


def state_file(deployment: Deployment) -> Path | None:
    """The file that holds the state below `backend_url`, there or not; None where it is kept in a bucket.

    Source of the layout: projectReferenceStore in https://github.com/pulumi/pulumi/blob/master/pkg/backend/diy/store.go
    """
    if deployment.suite.state and deployment.suite.state.s3:
        return None
    stacks = _state_folder(deployment) / ".pulumi" / "stacks"
    return stacks / project_name(deployment) / f"{deployment.suite.suite}.json"


def _state_folder(deployment: Deployment) -> Path:
    return deployment.state_dir / ENGINE / "state"


def _package_version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return locked_version(package) or ""


def _version(program: Path) -> str:
    environment = clean_environment({"PULUMI_SKIP_UPDATE_CHECK": "true"})
    try:
        return capture([program, "version"], environment=environment, timeout=30).strip().removeprefix("v")
    except CouldNotRun as error:
        raise CouldNotRun(f"the engine was found and does not start: {error}") from error
