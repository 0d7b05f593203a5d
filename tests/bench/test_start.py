# SPDX-License-Identifier: MIT
"""What starting costs, as a ratio to an interpreter that does nothing: machines differ, ratios hardly do."""

from __future__ import annotations

import os
import statistics
import sys

import pytest

from tests.checkout import ROOT

HELP_RATIO = 6.0
CHECK_SECONDS = 1.0


def cpu_seconds(*command: str) -> float:
    """User and system time of a command and all it started, its output dropped."""
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, descriptor) for descriptor in (0, 1, 2)]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    pid = os.posix_spawnp(command[0], command, variables, file_actions=actions)
    os.close(null)
    _, status, usage = os.wait4(pid, 0)
    assert status == 0, f"{command} ended with {os.waitstatus_to_exitcode(status)}"
    return usage.ru_utime + usage.ru_stime


def medians(rounds: int, *commands: tuple[str, ...]) -> list[float]:
    """The median cost of each command, run in turns so that a busy machine slows all of them alike."""
    for command in commands:
        cpu_seconds(*command)  # byte code and page cache
    turns = [[cpu_seconds(*command) for command in commands] for _ in range(rounds)]
    return [statistics.median(costs) for costs in zip(*turns, strict=True)]


#: isolated: what a machine's own site-packages load at each start would flatter the ratio
NOTHING = (sys.executable, "-I", "-c", "pass")


def test_help_costs_a_few_bare_interpreters(capsys: pytest.CaptureFixture[str]) -> None:
    nothing, taken = medians(25, NOTHING, (str(ROOT / "suite-deploy"), "--help"))
    with capsys.disabled():
        print(f"\n--help: {taken:.3f} s CPU, {taken / nothing:.1f} x python -c pass ({nothing:.3f} s)")
    assert taken <= HELP_RATIO * nothing


def test_checking_the_demo_takes_a_second_at_most(capsys: pytest.CaptureFixture[str]) -> None:
    nothing, taken = medians(5, NOTHING, (str(ROOT / "suite-deploy"), "check", "demo"))
    with capsys.disabled():
        print(f"\ncheck demo: {taken:.2f} s CPU, {taken / nothing:.0f} x python -c pass")
    assert taken <= CHECK_SECONDS
