# SPDX-License-Identifier: MIT
"""Where things are: read-only resources, state and caches. Nothing is ever written below the resource root."""

from __future__ import annotations

import importlib
import os
import sys
from functools import cache
from pathlib import Path
from types import ModuleType


@cache
def resource_root() -> Path:
    """The directory holding roles/, stacks/, policies/ and inventories/: the checkout, or `_share` in a wheel."""
    package = Path(__file__).resolve().parent
    share = package / "_share"
    return share if share.is_dir() else package.parent.parent


def share_import(name: str) -> ModuleType:
    """Import a module that lives in the resource root, e.g. `stacks.local`.

    Raises ModuleNotFoundError when this version ships no such module.
    """
    root = str(resource_root())
    if root not in sys.path:
        sys.path.append(root)
    return importlib.import_module(name)


def state_dir(suite: str, driver: str) -> Path:
    """The state directory of a suite: machine-wide for `local`, the operator's own for every other driver.

    SUITE_DEPLOY_STATE_ROOT, for tests, replaces the directory that holds all suites.
    """
    override = os.environ.get("SUITE_DEPLOY_STATE_ROOT")
    if override:
        return Path(override) / suite
    if driver == "local":
        return Path("/var/lib/suite-deploy") / suite
    return _xdg("XDG_STATE_HOME", ".local/state") / suite


def machine_cache() -> Path:
    """What every suite on this machine shares on `local`: base tree, image layers, packages."""
    return Path("/var/cache/suite-deploy")


def user_cache() -> Path:
    """The operator's own cache."""
    return _xdg("XDG_CACHE_HOME", ".cache")


def _xdg(variable: str, default: str) -> Path:
    configured = os.environ.get(variable, "")
    # The XDG specification: a relative path is invalid and ignored.
    base = Path(configured) if configured.startswith("/") else Path.home() / default
    return base / "suite-deploy"
