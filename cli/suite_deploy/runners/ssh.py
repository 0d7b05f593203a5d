# SPDX-License-Identifier: MIT
"""SSH through the shared configuration: short commands, and closing the kept connections."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..model.statefiles import SSH_CONFIG
from .process import capture, clean_environment


def on_host(state: Path, host: str, command: Sequence[str], *, timeout: float = 60) -> str:
    """Run a command on a host, for `timeout` seconds at most, and return what it printed.

    Raises CouldNotRun when it fails.
    """
    return capture(["ssh", "-F", str(state / SSH_CONFIG), host, shlex.join(command)], timeout=timeout)


def close_connections(state: Path, hosts: Iterable[str]) -> None:
    """End the kept connections, so that no process outlives the command."""
    if not (state / SSH_CONFIG).is_file():
        return
    for host in hosts:
        subprocess.run(
            ["ssh", "-F", state / SSH_CONFIG, "-O", "exit", host],
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            check=False,
        )
