# SPDX-License-Identifier: MIT
"""Waits until new hosts answer on SSH, and meets them: their host keys are written down once and held against them."""

from __future__ import annotations

import shlex
import subprocess
import time
from pathlib import Path

from suite_deploy.errors import CouldNotRun
from suite_deploy.model.outputs import HostOutput, Progress
from suite_deploy.model.statefiles import KNOWN_HOSTS
from suite_deploy.runners.process import clean_environment

#: seconds between two attempts at a host that does not answer yet
PAUSE = 3.0
#: seconds one attempt may take; emulated hosts need many for the handshake alone
ATTEMPT = 90


def wait_for_ssh(ssh_config: Path, hosts: tuple[HostOutput, ...], progress: Progress, limit: float = 600) -> None:
    """Sign in to each host, those that others are reached through first.

    ssh_config: as generated; it names a host's key by the host's identity, so that a host made anew is met anew while
    a changed key of the same host is refused. limit: seconds for all of them.
    Raises CouldNotRun with SSH's own words for a host that does not answer, or is not the one it was.
    """
    end = time.monotonic() + limit
    for host in sorted(hosts, key=lambda item: bool(item.jump)):
        progress(f"waiting for {host.name} ({host.address}) to answer on SSH")
        while (words := _refusal(ssh_config, host.name)) is not None:
            changed = "HOST IDENTIFICATION HAS CHANGED" in words
            if changed or time.monotonic() > end:
                last = [line for line in words.splitlines() if line.strip()][-3:]
                why = "its key is not the one it had" if changed else "it does not let the deployment sign in on SSH"
                step = _other_key(ssh_config, host) if changed else _shut(host)
                raise CouldNotRun("\n  ".join([f"host {host.name} ({host.address}): {why}.", *last, step]))
            time.sleep(PAUSE)


def _other_key(ssh_config: Path, host: HostOutput) -> str:
    """What to do about a host with another key than the one that was written down."""
    known = shlex.join(
        ["ssh-keygen", "-R", f"{host.name}-{host.identity}", "-f", str(ssh_config.with_name(KNOWN_HOSTS))]
    )
    return (
        "Somebody else answers at this address, or the host was installed again by hand. Find out which; if you know"
        f" that it was, forget the old key with `{known}` and run the same command again."
    )


def _shut(host: HostOutput) -> str:
    """What to look at where a host lets nobody in."""
    way = f"{host.jump}, which it is reached through," if host.jump else "this machine"
    return (
        f"Look whether its security group lets {way} in on port {host.ssh_port} (from outside: `ssh.from`), and at its"
        " console log at the cloud: whether it started, and took the public half of `ssh.key`."
        " Then run the same command again."
    )


def _refusal(ssh_config: Path, host: str) -> str | None:
    """None when signing in works, else what SSH said."""
    command = ["ssh", "-F", str(ssh_config), "-o", "StrictHostKeyChecking=accept-new", host, "true"]
    try:
        ended = subprocess.run(
            command,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ATTEMPT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {ATTEMPT} s"
    return None if ended.returncode == 0 else ended.stderr
