# SPDX-License-Identifier: MIT
"""Commands, processes, files and locks of the outer machine."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from suite_deploy.errors import CouldNotRun
from suite_deploy.model.outputs import Progress

#: What these commands get of the caller's environment: nothing that could change what they do.
CLEAN_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root"}


#: Before a command: killed when the process that started it is gone, however that ended.
DIES_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL")
#: The same with all the command starts: a process namespace goes with its first process.
CONTAINED = (*DIES_WITH_PARENT, "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--")


def run(
    argv: Sequence[str | Path],
    *,
    doing: str,
    timeout: float = 60,
    env: Mapping[str, str] | None = None,
    fails: bool = True,
    contained: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a command and capture what it says. `timeout` in seconds; `doing` completes "could not …".

    `contained`: whatever becomes of this process, the command and all it started end with it, and so do their mounts.

    Raises CouldNotRun when the command is missing, takes too long, or fails and `fails` is set.
    """
    words = [str(word) for word in (*(CONTAINED if contained else ()), *argv)]
    try:
        result = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=timeout, env={**CLEAN_ENVIRONMENT, **(env or {})}, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise CouldNotRun(f"could not {doing}: {argv[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise CouldNotRun(f"could not {doing}: {argv[0]} did not end within {timeout:.0f} s") from None
    if fails and result.returncode != 0:
        said = (result.stderr.strip() or result.stdout.strip() or f"exit code {result.returncode}").splitlines()
        raise CouldNotRun(f"could not {doing}: {argv[0]} said:\n  " + "\n  ".join(said[-12:]))
    return result


def has_systemd() -> bool:
    """Whether PID 1 is systemd (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


def require_root() -> None:
    if os.geteuid() != 0:
        raise CouldNotRun("local hosts need root on this machine: run the command through sudo")


@contextlib.contextmanager
def world_readable() -> Iterator[None]:
    """What is made meanwhile is readable by all unless said otherwise, also where root's umask is strict.

    Unprivileged services and the hosts' own users have to get through the directories.
    """
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


def tool(name: str) -> Path:
    """Where a program is, also when the caller's PATH lacks the sbin directories."""
    found = shutil.which(name, path=CLEAN_ENVIRONMENT["PATH"])
    if not found:
        raise CouldNotRun(f"{name} is not installed on this machine")
    return Path(found)


# --- processes: found by what they run, so that no pid file can be stale or missing --------------------------------


def command_lines() -> Iterator[tuple[int, list[str]]]:
    """Every process with its argument list; kernel threads and zombies have none and are left out."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            raw = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if raw:
            yield int(entry.name), raw.rstrip(b"\0").decode(errors="replace").split("\0")


def parent_of(pid: int) -> int:
    try:
        # The command name stands in parentheses and may itself hold spaces or parentheses.
        return int(Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def wait_until(condition: Callable[[], bool], seconds: float, every: float = 0.05) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0] not in ("Z", "X")
    except (OSError, IndexError):
        return False


def stop_processes(pids: Sequence[int], seconds: float) -> None:
    """Ask, wait `seconds`, then kill."""
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 5.0)):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if wait_until(lambda: not any(alive(pid) for pid in pids), patience):
            return


# --- files ---------------------------------------------------------------------------------------------------------


def write_atomically(path: Path, text: str, mode: int = 0o644, owner: tuple[int, int] | None = None) -> None:
    """Replace a file in one step; whoever reads it sees the old or the new text, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            if owner:
                os.fchown(file.fileno(), *owner)
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_if_changed(path: Path, text: str, mode: int = 0o644) -> None:
    """As `write_atomically`, but leaves a file alone that says the same already."""
    same = False
    with contextlib.suppress(FileNotFoundError, UnicodeDecodeError):
        same = path.read_text(encoding="utf-8") == text
    if not same:
        write_atomically(path, text, mode)


def remove_tree(path: Path) -> None:
    """Remove a directory tree; refuses to descend into anything mounted below it."""
    if not path.exists():
        return
    below = [point for point in mount_points() if point == path or path in point.parents]
    if below:
        raise CouldNotRun(f"could not remove {path}: {below[0]} is still mounted")
    shutil.rmtree(path)


def mount_points() -> list[Path]:
    text = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    fields = (line.split()[1] for line in text.splitlines())
    return [Path(point.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")) for point in fields]


@contextlib.contextmanager
def machine_lock(path: Path, progress: Progress, what: str) -> Iterator[None]:
    """Only one suite at a time changes what all suites share; the lock goes with the process that holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"waiting for another suite to finish with {what}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
