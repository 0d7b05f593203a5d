# SPDX-License-Identifier: MIT
"""Runs the lanes of tests, each as one pytest process, and sums up what ran, what did not, and where the time went."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NO_TESTS_COLLECTED = 5
#: how many of the slowest tests the summary names
SLOWEST = 5


@dataclass(frozen=True)
class Lane:
    """One group of tests.

    paths: what pytest collects, below tests/. marker: a pytest marker expression. default: whether it runs unasked.
    parallel: whether its files may run side by side; false where tests share the machine.
    """

    name: str
    about: str
    paths: tuple[str, ...]
    marker: str = ""
    default: bool = True
    parallel: bool = False


EXTRA_DEPLOY = ("hosts", "systemd", "browser")
LANES = (
    Lane("lint", "style, types, headers, roles", ("lint",)),
    Lane("unit", "one module at a time", ("unit",), parallel=True),
    Lane("golden", "rendered files compared with the reviewed ones", ("golden",)),
    Lane("contract", "every component keeps the shared rules", ("contract",)),
    Lane("policies", "every policy refuses and accepts its cases", ("policies",), parallel=True),
    Lane("stacks", "each cloud's program, and what it is told to refuse", ("stacks",), parallel=True),
    Lane("roles", "roles on a host of their own", ("roles",), "not situations"),
    Lane("deploy", "a real suite on a local host", ("deploy",), " and ".join(f"not {name}" for name in EXTRA_DEPLOY)),
    Lane("situations", "roles in every situation, damaged and repaired", ("roles",), "situations", default=False),
    Lane("hosts", "a suite on several local hosts", ("deploy",), "hosts", default=False),
    Lane("systemd", "inside a machine whose PID 1 is systemd", ("deploy",), "systemd", default=False),
    Lane("browser", "sign-in and chat in a real browser", ("deploy",), "browser", default=False),
    Lane(
        "openstack",
        "the product's driver and the unmodified program on a real OpenStack",
        ("openstack",),
        default=False,
    ),
    Lane(
        "engine", "the real engine: our runner, the pack, Outscale's program on its double", ("engine",), default=False
    ),
    Lane("bench", "speed and memory, as ratios", ("bench",), default=False),
)


@dataclass
class Outcome:
    """What became of a lane. seconds: wall-clock time."""

    lane: Lane
    seconds: float = 0.0
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    note: str = ""
    #: why → which tests
    skip_reasons: dict[str, list[str]] = field(default_factory=dict)
    #: seconds → test
    times: list[tuple[float, str]] = field(default_factory=list)


def run_lane(lane: Lane, reports: Path, extra: list[str]) -> Outcome:
    """Run one lane's tests; a lane that has none yet says so and fails nothing."""
    paths = [str(path) for name in lane.paths if any((path := ROOT / "tests" / name).rglob("test_*.py"))]
    outcome = Outcome(lane)
    if not paths:
        outcome.note = "no tests yet"
        return outcome
    report = reports / f"{lane.name}.xml"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={report}", "-q", *paths]
    if lane.marker:
        command += ["-m", lane.marker]
    if lane.parallel:
        command += ["-n", str(min(os.cpu_count() or 1, 4)), "--dist", "loadfile"]
    started = time.monotonic()
    print(f"── {lane.name}: {lane.about}", flush=True)
    status = wait(subprocess.Popen([*command, *extra], cwd=ROOT, start_new_session=True))
    outcome.seconds = time.monotonic() - started
    if status == NO_TESTS_COLLECTED:
        outcome.note = "no test selected" if extra else "no tests yet"
        return outcome
    read_report(report, outcome)
    if not outcome.failed and (status or not report.exists()):
        # pytest itself broke off: an error in collection, a usage error, a signal, a test that ended the process.
        outcome.failed, outcome.note = 1, f"pytest broke off with status {status}"
    return outcome


def wait(child: subprocess.Popen[bytes]) -> int:
    """The child's exit status. An interrupt is handed on to it once, and it gets all the time its clean-up takes."""
    try:
        return child.wait()
    except KeyboardInterrupt:
        print("\ninterrupted: waiting for the tests to clean up", file=sys.stderr, flush=True)
        child.send_signal(signal.SIGINT)
        try:
            child.wait()
        except KeyboardInterrupt:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        raise


def read_report(report: Path, outcome: Outcome) -> None:
    """Count the cases of a JUnit file that this program's own pytest wrote."""
    if not report.exists():
        return
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        skipped = case.find("skipped")
        outcome.times.append((float(case.get("time", 0)), f"{outcome.lane.name}: {case.get('name')}"))
        if case.find("failure") is not None or case.find("error") is not None:
            outcome.failed += 1
        elif skipped is not None:
            outcome.skipped += 1
            outcome.skip_reasons.setdefault(skipped.get("message", ""), []).append(str(case.get("name")))
        else:
            outcome.passed += 1


def print_summary(outcomes: list[Outcome], chosen: list[Lane]) -> None:
    """The table of where the time went, the lanes not run, and the closing line."""
    print(f"\n{'lane':<10} {'seconds':>8} {'passed':>8} {'failed':>7} {'skipped':>8}")
    for outcome in outcomes:
        print(
            f"{outcome.lane.name:<10} {outcome.seconds:8.1f} {outcome.passed:8} {outcome.failed:7}"
            f" {outcome.skipped:8}  {outcome.note}".rstrip()
        )
    for lane in LANES:
        if lane not in chosen:
            print(f"{lane.name:<10}  not run: ask for it with `tests/run {lane.name}` ({lane.about})")
    slowest = sorted((each for outcome in outcomes for each in outcome.times), reverse=True)[:SLOWEST]
    for seconds, test in slowest:
        if seconds >= 1:
            print(f"slowest: {seconds:7.1f} s  {test}")
    for outcome in outcomes:
        for reason, tests in outcome.skip_reasons.items():
            which = tests[0] if len(tests) == 1 else f"{len(tests)} tests"
            print(f"skipped: {outcome.lane.name}: {which}: {reason}")
    counts = [sum(getattr(outcome, name) for outcome in outcomes) for name in ("passed", "failed", "skipped")]
    print("{} passed, {} failed, {} skipped".format(*counts), flush=True)


def main() -> int:
    """Run the lanes asked for, or the default ones; 1 when anything failed."""
    parser = argparse.ArgumentParser(
        prog="tests/run",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="lanes:\n" + "\n".join(f"  {x.name:<10} {x.about}{'' if x.default else ' (on request)'}" for x in LANES),
    )
    names = [lane.name for lane in LANES]
    parser.add_argument(
        "lanes", nargs="*", metavar="LANE", help="which lanes to run; the default ones when none is named"
    )
    parser.add_argument("-k", dest="expression", help="only tests whose name matches, as in pytest")
    parser.add_argument("--junit", type=Path, help="keep each lane's JUnit file in this directory")
    options, extra = parser.parse_known_args()
    unknown = [name for name in options.lanes if name not in names]
    if unknown:
        parser.error(f"no such lane: {', '.join(unknown)} (there are {', '.join(names)})")
    chosen = [lane for lane in LANES if (lane.name in options.lanes if options.lanes else lane.default)]
    if options.expression:
        extra += ["-k", options.expression]
    with tempfile.TemporaryDirectory(prefix="suite-deploy-tests-") as scratch:
        reports = options.junit or Path(scratch)
        reports.mkdir(parents=True, exist_ok=True)
        # Started in the background, a shell has us ignore ctrl-c, and every program the tests interrupt would too.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            outcomes = [run_lane(lane, reports, extra) for lane in chosen]
        except KeyboardInterrupt:
            return 130
    print_summary(outcomes, chosen)
    return 1 if any(outcome.failed for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
