# SPDX-License-Identifier: MIT
"""Debian packages that building an image needs on this machine, installed only when a recipe will run."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..errors import CouldNotRun
from ..runners.process import clean_environment, run
from .store import Progress


def install(packages: Sequence[str], progress: Progress) -> None:
    """Say what is installed and install it. Raises CouldNotRun with apt's words, or the command when not root."""
    if not packages:
        return
    if os.geteuid() != 0:
        raise CouldNotRun(f"building images needs Debian packages: sudo apt-get install {' '.join(packages)}")
    progress(f"installing Debian packages on this machine: {', '.join(packages)}")
    quiet = clean_environment({"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"})
    wait = ["-o", "DPkg::Lock::Timeout=300"]
    # a mirror that is unreachable now may still have left usable lists: only the installation has to succeed
    run(["apt-get", "update", "-q", *wait], environment=quiet, check=False)
    run(["apt-get", "install", "-q", "--yes", "--no-install-recommends", *wait, *packages], environment=quiet)
