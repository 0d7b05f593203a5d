# SPDX-License-Identifier: MIT
"""A refused inventory is refused before anything happens: no process, no socket, no file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkout import ROOT

#: notes every event by which a program reaches out, then runs the command line
WATCHED = """
import sys
WATCH = ("subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.system", "pty.", "socket.", "ctypes.")
FILES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.chmod", "shutil.")
seen = []
def watch(event, arguments):
    if event.startswith(WATCH) or event.startswith(FILES):
        seen.append(f"{event} {arguments!r}")
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        seen.append(f"{event} {arguments!r}")
from suite_deploy.main import main
sys.addaudithook(watch)
code = main(sys.argv[1:])
for item in seen:
    print("SEEN", item)
sys.exit(code)
"""


def run(*arguments: str, state: Path) -> subprocess.CompletedProcess[str]:
    variables = {
        key: value for key, value in os.environ.items() if not key.startswith(("OS_", "OSC_", "AWS_", "PULUMI_"))
    }
    variables |= {
        "PYTHONPATH": str(ROOT / "cli"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "SUITE_DEPLOY_STATE_ROOT": str(state),
    }
    return subprocess.run(
        [sys.executable, "-c", WATCHED, *arguments],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("command", ["up", "preview", "check"])
def test_a_refused_inventory_starts_nothing_and_opens_nothing(command: str, tmp_path: Path) -> None:
    done = run(command, "example-local-refused", state=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "REG-001" in done.stdout + done.stderr
    assert "SEEN" not in done.stdout, done.stdout
    assert not list(tmp_path.iterdir())


def test_a_refused_cloud_is_not_contacted_either(tmp_path: Path) -> None:
    done = run("preview", "example-outscale-refused", state=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "SEEN" not in done.stdout, done.stdout


def test_the_watch_sees_what_it_is_for(tmp_path: Path) -> None:
    script = WATCHED.replace("code = main(sys.argv[1:])", "import socket; socket.socket(); code = 0")
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": str(ROOT / "cli")},
        capture_output=True,
        text=True,
    )
    assert "SEEN socket.__new__" in done.stdout
