# SPDX-License-Identifier: MIT
"""One run at a time per suite, and a second one that learns whom it waits for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from suite_deploy.errors import CouldNotRun
from suite_deploy.runners import lock
from suite_deploy.runners.process import run
from tests.checkout import ROOT


def test_the_second_learns_who_holds_it_since_when_and_what_for(tmp_path: Path) -> None:
    with lock.hold(tmp_path, "up demo"):
        owner = json.loads((tmp_path / "lock").read_text())
        with pytest.raises(CouldNotRun) as caught, lock.hold(tmp_path, "destroy demo"):
            pytest.fail("two held the lock")
        for part in (owner["user"], owner["host"], owner["since"], str(os.getpid()), "up demo"):
            assert str(part) in str(caught.value)
        assert json.loads((tmp_path / "lock").read_text()) == owner


def test_it_is_free_after_the_block_also_when_it_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), lock.hold(tmp_path, "up"):
        raise ZeroDivisionError
    with lock.hold(tmp_path, "up"):
        assert (tmp_path / "lock").read_text()
    assert (tmp_path / "lock").read_text() == ""


def test_it_ends_with_a_holder_that_is_killed_while_its_child_lives_on(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys, time\nfrom pathlib import Path\nfrom suite_deploy.runners import lock\n"
        f"with lock.hold(Path({str(tmp_path)!r}), 'up'):\n"
        "    child = subprocess.Popen(['sleep', '30'], stdout=subprocess.DEVNULL)\n"
        "    print(child.pid, flush=True)\n"
        "    time.sleep(30)\n"
    )
    variables = os.environ | {"PYTHONPATH": str(ROOT / "cli")}
    holder = subprocess.Popen([sys.executable, "-c", program], env=variables, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    child = int(holder.stdout.readline())
    try:
        with pytest.raises(CouldNotRun), lock.hold(tmp_path, "up"):
            pytest.fail("two held the lock")
        holder.kill()
        holder.communicate(timeout=20)
        with lock.hold(tmp_path, "up"):
            assert str(os.getpid()) in (tmp_path / "lock").read_text()
    finally:
        os.kill(child, 9)


def test_children_of_the_runner_do_not_inherit_it(tmp_path: Path) -> None:
    with lock.hold(tmp_path, "up"):
        lines: list[str] = []
        run(["sh", "-c", "ls -l /proc/self/fd"], on_line=lines.append)
    assert not [line for line in lines if "lock" in line]


def test_a_lock_that_is_not_signed_yet_still_refuses(tmp_path: Path) -> None:
    with lock.hold(tmp_path, "up"):
        (tmp_path / "lock").write_text("{half")
        with pytest.raises(CouldNotRun, match="held by another run"), lock.hold(tmp_path, "up"):
            pytest.fail("two held the lock")


def test_anyone_may_read_who_holds_it(tmp_path: Path) -> None:
    previous = os.umask(0o022)
    try:
        with lock.hold(tmp_path / "new", "up"):
            assert (tmp_path / "new").stat().st_mode & 0o777 == 0o755
            assert (tmp_path / "new/lock").stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(previous)


def test_a_state_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CouldNotRun, match="cannot be taken"), lock.hold(tmp_path / "file/state", "up"):
        pytest.fail("held without a directory")
