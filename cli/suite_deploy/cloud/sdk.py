# SPDX-License-Identifier: MIT
"""The Python packages of the extra `cloud`: found where they are, or put into an environment of their own on demand."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import site
import subprocess
import sys
from pathlib import Path

from ..errors import CouldNotRun
from ..paths import resource_root

LOCK = "requirements-cloud.lock"
#: driver → modules it needs beyond the product's own
MODULES = {
    "openstack": ("pulumi", "pulumi_policy", "pulumi_openstack", "openstack", "boto3"),
    "ovh": ("pulumi", "pulumi_policy", "pulumi_openstack", "pulumi_ovh", "openstack", "boto3"),
    "outscale": ("pulumi", "pulumi_policy", "osc_sdk_python", "boto3"),
}
#: stands on the environment this program runs in and adds the lock's packages; prints where it is
_SCRIPT = """
. "$1/cli/environment.sh"
find_environment "$2" "$1/$3" || {
    [ "$4" = make ] || exit 0
    make_environment "$2" "$1/$3" "$5"
}
printf '%s\\n' "$environment"
"""


def missing(driver: str) -> list[str]:
    """Modules a driver needs that cannot be imported now."""
    return [name for name in MODULES.get(driver, ()) if importlib.util.find_spec(name) is None]


def provide(driver: str, *, make: bool = True) -> Path:
    """Make a driver's packages importable and return the prefix of the Python environment that has them.

    make: whether an environment may be made for them, in the product's cache; otherwise one that is there is used.
    Raises CouldNotRun when they are not there and cannot be had.
    """
    if not missing(driver):
        return Path(_HOME.get("prefix") or sys.prefix)
    prefix = _environment(make)
    if prefix is None:
        raise CouldNotRun(
            f"Python packages of the clouds are not installed ({', '.join(missing(driver))}).\n"
            "  Run: suite-deploy doctor NAME --fix. An installed package: pip install 'suite-deploy[cloud]'"
        )
    site.addsitedir(str(prefix / "lib" / f"python3.{sys.version_info[1]}" / "site-packages"))
    importlib.invalidate_caches()
    _HOME["prefix"] = str(prefix)
    absent = missing(driver)
    if absent:
        raise CouldNotRun(
            f"{prefix} lacks {', '.join(absent)}: remove that folder, then run suite-deploy doctor NAME --fix"
        )
    return prefix


#: where the packages were found, once they were not in this program's own environment
_HOME: dict[str, str] = {}


def locked_version(package: str) -> str | None:
    """The version of a package in the lock of this checkout; None without a lock."""
    try:
        text = (resource_root() / LOCK).read_text(encoding="utf-8")
    except OSError:
        return None
    match = re.search(rf"^{re.escape(package)}==(\S+)", text, re.MULTILINE)
    return match[1] if match else None


def _environment(make: bool) -> Path | None:
    """The environment of a checkout's launcher with the clouds' packages; None where there is none of that kind."""
    root, base = resource_root(), Path(sys.prefix)
    if not (root / LOCK).is_file() or not base.name.startswith("env-"):
        return None
    name = f"cloud-env-{base.name.removeprefix('env-')}"
    words = ["sh", "-euc", _SCRIPT, "sh", str(root), name, LOCK, "make" if make else "find", str(base)]
    # With the whole environment: the caller's own settings of pip hold, as they do for the launcher.
    done = subprocess.run(words, env=dict(os.environ), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise CouldNotRun("the Python packages of the clouds could not be installed; the lines above say why")
    found = done.stdout.decode().strip()
    return Path(found) if found else None
