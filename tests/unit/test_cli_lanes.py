# SPDX-License-Identifier: MIT
"""The test entry itself: nothing that failed, broke off or did not run may look as if it had passed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import lanes
from tests.checkout import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a test entry and no tests."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/lanes.py").write_text((ROOT / "tests/lanes.py").read_text())
    return tmp_path


def command(checkout: Path, *arguments: str) -> list[str]:
    return [sys.executable, str(checkout / "tests/lanes.py"), *arguments]


def run(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(command(checkout, *arguments), env=variables, capture_output=True, text=True, timeout=120)


def add(checkout: Path, lane: str, body: str) -> None:
    (checkout / "tests" / lane).mkdir(exist_ok=True)
    (checkout / "tests" / lane / "test_it.py").write_text(body)


def test_a_lane_without_tests_says_so_and_fails_nothing(checkout: Path) -> None:
    done = run(checkout, "golden")
    assert done.returncode == 0
    assert "no tests yet" in done.stdout
    assert done.stdout.splitlines()[-1] == "0 passed, 0 failed, 0 skipped"


def test_the_closing_line_counts_and_every_skip_has_its_reason(checkout: Path) -> None:
    add(
        checkout,
        "golden",
        "import pytest\ndef test_a(): pass\ndef test_b(): assert 0\ndef test_c(): pytest.skip('no moon tonight')\n",
    )
    add(checkout, "contract", "def test_d(): pass\n")
    done = run(checkout, "golden", "contract")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "2 passed, 1 failed, 1 skipped"
    assert "skipped: golden: test_c: no moon tonight" in done.stdout


@pytest.mark.parametrize(
    "body",
    [
        "import nothing_of_this_name\n",
        "def test_a(:\n",
        "import os\ndef test_a(): os._exit(0)\n",
        "raise SystemExit(0)\n",
    ],
)
def test_tests_that_cannot_run_to_their_end_are_failures(checkout: Path, body: str) -> None:
    add(checkout, "golden", body)
    done = run(checkout, "golden")
    assert done.returncode == 1, done.stdout
    assert "0 passed, 1 failed" in done.stdout.splitlines()[-1]


def test_a_name_that_matches_nothing_is_not_a_pass(checkout: Path) -> None:
    add(checkout, "golden", "def test_a(): pass\n")
    assert "no test selected" in run(checkout, "golden", "-k", "nothing").stdout


def test_lanes_that_did_not_run_are_named(checkout: Path) -> None:
    done = run(checkout, "golden")
    for lane in lanes.LANES:
        assert lane.name == "golden" or f"tests/run {lane.name}`" in done.stdout


def test_an_unknown_lane_is_refused(checkout: Path) -> None:
    done = run(checkout, "gloden")
    assert done.returncode == 2
    assert "no such lane: gloden" in done.stderr


def test_every_folder_of_tests_belongs_to_a_lane() -> None:
    reached = {path for lane in lanes.LANES for path in lane.paths}
    folders = {path.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").glob("*/**/test_*.py")}
    assert folders <= reached, f"never run: {folders - reached}"


def test_an_interrupt_lets_the_tests_clean_up(checkout: Path) -> None:
    add(
        checkout,
        "golden",
        "import pathlib, time, pytest\n"
        "here = pathlib.Path(__file__).parent\n"
        "@pytest.fixture\n"
        "def machine():\n"
        "    (here / 'made').touch()\n"
        "    yield\n"
        "    time.sleep(1)\n"
        "    (here / 'removed').touch()\n"
        "def test_a(machine): time.sleep(60)\n",
    )
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    running = subprocess.Popen(command(checkout, "golden"), env=variables, stdout=subprocess.PIPE, stderr=-1)
    deadline = time.monotonic() + 60
    while not (checkout / "tests/golden/made").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=60)
    assert (checkout / "tests/golden/removed").exists()
    assert running.returncode == 130
