# SPDX-License-Identifier: MIT
"""One run at a time per suite: a lock in the state directory that says who holds it and ends with its holder."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from ..errors import CouldNotRun
from ..model.statefiles import LOCK


@contextmanager
def hold(state: Path, command: str) -> Iterator[None]:
    """Hold the lock of the suite whose state directory this is (made when absent) until the block ends.

    command: what the holder runs, shown to whoever comes second.
    Raises CouldNotRun when another run holds the lock, or when the state directory cannot be written.
    """
    path = state / LOCK
    try:
        # What is private below it (secrets, build tree, logs) has modes of its own; addresses are for everyone
        state.mkdir(parents=True, exist_ok=True, mode=0o755)
        # Not inherited by child processes: the lock must end with this process, not with a stray child.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise CouldNotRun(f"{path}: the lock cannot be taken: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CouldNotRun(_held(path)) from None
        # The file stays when the lock is released: removing it would let two runs lock two different files.
        _write(descriptor, json.dumps(_owner(command)) + "\n")
        try:
            yield
        finally:
            _write(descriptor, "")
    finally:
        os.close(descriptor)


def _owner(command: str) -> dict[str, str | int]:
    return {
        "user": os.environ.get("SUDO_USER") or _user(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "command": command,
        "since": datetime.now().astimezone().isoformat(sep=" ", timespec="seconds"),
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user without an entry in the user database.
        return f"uid {os.getuid()}"


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)


def _held(path: Path) -> str:
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
        who = "held by {user} on {host} since {since} (pid {pid}): {command}".format_map(owner)
    except (OSError, ValueError, KeyError, TypeError):
        # The holder took the lock this very moment and has not signed it yet.
        who = "held by another run"
    return f"{path}: {who}\n  Wait for it to end, then run the same command again."
