# SPDX-License-Identifier: MIT
"""Child processes: a cleaned environment, lines as they come, a private log, nothing left behind on an interrupt."""

from __future__ import annotations

import os
import selectors
import shlex
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import CouldNotRun

#: Ambient settings that would steer a tool behind the inventory's back. A trailing `*` stands for any ending.
AMBIENT = (
    "ANSIBLE_*",
    "AWS_*",
    "BASH_ENV",
    "CLOUDS_*",
    "ENV",
    "HELM_*",
    "KUBE*",
    "MOLECULE_*",
    "OSC_*",
    "OS_*",
    "OUTSCALE_*",
    "OVH_*",
    "PULUMI_*",
    "PYTEST_*",
    "PYTHON*",
    "VAULT_*",
)
#: seconds a child gets to end by itself before it is killed
GRACE = 10.0
#: seconds to wait for more output once the child has ended but a process it left holds the pipe
LINGER = 1.0
TAIL_LINES = 30


@dataclass(frozen=True)
class Finished:
    """A child that has ended. seconds: wall-clock time; tail: its last lines, redacted."""

    status: int
    seconds: float
    tail: tuple[str, ...]


def clean_environment(extra: Mapping[str, str] | None = None, *, allow: Iterable[str] = ()) -> dict[str, str]:
    """This process's environment without ambient settings.

    extra: variables to set. allow: names, or beginnings ending in `*`, that are kept although they are ambient.
    """
    kept = tuple(allow)
    environment = {
        name: value for name, value in os.environ.items() if _matches(name, kept) or not _matches(name, AMBIENT)
    }
    # A Python child that loads plugins from the checkout must not leave byte code there.
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    return environment | dict(extra or {})


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(name.startswith(each[:-1]) if each.endswith("*") else name == each for each in patterns)


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    stdin: str | bytes | None = None,
    pass_fds: Sequence[int] = (),
    on_line: Callable[[str], None] | None = None,
    log: Path | None = None,
    redact: Callable[[str], str] | None = None,
    timeout: float | None = None,
    check: bool = True,
) -> Finished:
    """Run a child to its end; its output and errors come as one stream of lines.

    environment: all of the child's variables, clean_environment() by default. stdin: given to the child through memory.
    on_line: called with each line without its end. log: lines are appended to this file (mode 0600).
    redact: applied to each line before anyone sees it. timeout: seconds until the child is stopped.
    check: whether a non-zero exit status is an error.
    Raises CouldNotRun when the program is missing, takes too long or (with `check`) fails. Whatever ends this
    call early, an interrupt included, first ends the child and every process it started in its session.
    """
    words = [str(word) for word in command]
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    started = time.monotonic()
    with ExitStack() as stack:
        sink = stack.enter_context(private_log(log)) if log else None
        source = stack.enter_context(memory_file(stdin)) if stdin is not None else subprocess.DEVNULL
        child = _start(words, environment, directory, source, pass_fds)
        stack.callback(_close, child)
        try:
            for line in _lines(child, started + timeout if timeout is not None else None):
                text = redact(line) if redact else line
                tail.append(text)
                if sink:
                    sink.write(text.encode("utf-8", "replace") + b"\n")
                if on_line:
                    on_line(text)
        except TimeoutError:
            stop(child)
            raise CouldNotRun(_failure(words, f"did not end within {timeout:g} s", tail, log, redact)) from None
        except BaseException:
            stop(child)
            raise
        status = child.wait()
    if check and status != 0:
        raise CouldNotRun(_failure(words, _ending(status), tail, log, redact))
    return Finished(status, time.monotonic() - started, tuple(tail))


def capture(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    stdin: str | bytes | None = None,
    timeout: float | None = 60,
) -> str:
    """Run a short child and return its standard output; raises CouldNotRun, with its errors, when it fails."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            env=clean_environment() if environment is None else dict(environment),
            cwd=directory,
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except OSError as error:
        raise CouldNotRun(_not_started(words, error)) from error
    except subprocess.TimeoutExpired:
        raise CouldNotRun(_failure(words, f"did not end within {timeout:g} s", ())) from None
    if done.returncode != 0:
        errors = done.stderr.decode("utf-8", "replace").splitlines()[-TAIL_LINES:]
        raise CouldNotRun(_failure(words, _ending(done.returncode), errors))
    return done.stdout.decode("utf-8", "replace")


@contextmanager
def memory_file(content: str | bytes) -> Iterator[int]:
    """A descriptor to read `content` from, on no disk and in no argument list.

    A child gets it through `pass_fds` and opens it as `/dev/fd/<number>`.
    """
    descriptor = os.memfd_create("suite-deploy", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as writer:
            writer.write(content.encode() if isinstance(content, str) else content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def stop(child: subprocess.Popen[bytes], grace: float = GRACE) -> None:
    """End a child started here with its whole process group: asked first, killed after `grace` seconds."""
    try:
        _signal(child, signal.SIGTERM)
        child.wait(timeout=grace)
    except subprocess.TimeoutExpired:
        pass
    finally:
        # Also when a second interrupt cuts the waiting short, and for members that outlived their leader.
        _signal(child, signal.SIGKILL)
        child.wait()


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        return


def _start(
    words: list[str],
    environment: Mapping[str, str] | None,
    directory: Path | None,
    source: int,
    pass_fds: Sequence[int],
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            words,
            env=clean_environment() if environment is None else dict(environment),
            cwd=directory,
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=tuple(pass_fds),
            # A session of its own: it cannot ask on the terminal, and its group can be ended as a whole.
            start_new_session=True,
        )
    except OSError as error:
        raise CouldNotRun(_not_started(words, error)) from error


def _close(child: subprocess.Popen[bytes]) -> None:
    if child.stdout:
        child.stdout.close()


def _lines(child: subprocess.Popen[bytes], deadline: float | None) -> Iterator[str]:
    """The child's output line by line, until it has ended and said everything.

    Raises TimeoutError at the deadline (on the monotonic clock).
    """
    assert child.stdout is not None
    pending = b""
    quiet_since: float | None = None
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                raise TimeoutError
            if selector.select(timeout=0.2):
                quiet_since = None
                chunk = os.read(child.stdout.fileno(), 65536)
                if not chunk:
                    break
                *complete, pending = (pending + chunk).split(b"\n")
                yield from (_text(line) for line in complete)
            elif child.poll() is not None:
                # Ended, but a process it left behind (an SSH master, say) keeps the pipe open.
                quiet_since = quiet_since or now
                if now - quiet_since > LINGER:
                    break
    if pending:
        yield _text(pending)
    # Output may be closed long before the child ends.
    try:
        child.wait(timeout=None if deadline is None else max(deadline - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        raise TimeoutError from None


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")


def private_log(path: Path) -> BinaryIO:
    """A log opened to be added to, its owner's alone (mode 0600), as its folder if it has to be made (0700).

    Raises CouldNotRun when it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        os.fchmod(descriptor, 0o600)
    except OSError as error:
        raise CouldNotRun(f"{path}: the log cannot be written: {error.strerror}") from error
    return os.fdopen(descriptor, "ab", buffering=0)


def _not_started(words: Sequence[str], error: OSError) -> str:
    if isinstance(error, FileNotFoundError) and error.filename == words[0]:
        return f"{words[0]}: not installed (not found on PATH)"
    return f"{words[0]}: could not be started: {error.strerror}"


def _ending(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def _failure(
    words: Sequence[str],
    ending: str,
    tail: Iterable[str],
    log: Path | None = None,
    redact: Callable[[str], str] | None = None,
) -> str:
    line = shlex.join(words)
    parts = [f"{redact(line) if redact else line}: {ending}", *(f"  {text}" for text in tail)]
    if log:
        parts.append(f"  The whole output: {log}")
    return "\n".join(parts)
