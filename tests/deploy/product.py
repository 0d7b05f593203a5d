# SPDX-License-Identifier: MIT
"""The product as its users run it: the launcher in a checkout, its output, its exit code, what the machine shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from stacks.local import packages
from suite_deploy.images.lock import ALLOW_DOUBLES
from suite_deploy.model.loader import load
from tests.checkout import ROOT
from tests.doubles.build import pin

INVENTORIES = Path(__file__).parent / "inventories"


@dataclass(frozen=True)
class Ran:
    """One finished command. seconds: wall-clock time."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def json(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)

    def said(self) -> str:
        """Everything it printed, for messages of failing tests."""
        return f"exit {self.code} after {self.seconds:.0f} s\n{self.out}\n{self.err[-6000:]}"


def suite_deploy(*words: str, timeout: float = 1500, **environment: str) -> Ran:
    """Run `./suite-deploy` as a user does and wait for it."""
    started = time.monotonic()
    done = subprocess.run(
        [str(ROOT / "suite-deploy"), *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr, time.monotonic() - started)


@dataclass
class Watcher:
    """Notes every command line and every file of the environment any process shows while something runs."""

    seen: set[str] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Watcher:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        assert self._thread
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            self.seen |= command_lines()


def command_lines() -> set[str]:
    """The command line of every process, those inside local hosts included: they share this kernel."""
    lines = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                lines.add((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
            except OSError:
                continue
    return lines


@dataclass(frozen=True)
class Suite:
    """A suite of tests/deploy/inventories; the images that cannot be had may be test doubles, unless a test says so."""

    inventory: str

    @property
    def path(self) -> str:
        """How the command line is told which inventory."""
        return str(INVENTORIES / self.inventory / "suite.yml")

    @property
    def name(self) -> str:
        return f"ci-{self.inventory}"

    @property
    def state(self) -> Path:
        return Path("/var/lib/suite-deploy") / self.name

    @property
    def domain(self) -> str:
        return f"{self.name}.test"

    def run(self, verb: str, *words: str, **environment: str) -> Ran:
        """`./suite-deploy VERB <this suite> …`."""
        return suite_deploy(verb, self.path, *words, timeout=1500, **{ALLOW_DOUBLES: "1", **environment})

    @property
    def components(self) -> set[str]:
        """What its inventory enables, the implied ones included."""
        return set(load(self.path).components)

    def pin_doubles(self) -> float:
        """Build the doubles and put them into the suite's lock; returns the seconds it took."""
        started = time.monotonic()
        pin(self.state / "images.lock.yml", progress=lambda text: print(f"doubles: {text}"))
        return time.monotonic() - started

    @contextmanager
    def doubles_in_the_making(self, scratch: Path) -> Iterator[None]:
        """Doubles are built beside what happens meanwhile; `pin_doubles` then finds them in the machine's cache."""
        # what both need from apt comes first: two of its runs would stand in each other's way
        packages.ensure(print)
        command = [sys.executable, "-m", "tests.doubles.build", "--lock", str(scratch)]
        with (scratch.with_suffix(".log")).open("wb") as log:
            building = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield
        finally:
            building.wait()

    @contextmanager
    def life(self) -> Iterator[None]:
        """From nothing to nothing: whatever happens meanwhile, nothing is left on the machine."""
        self.destroy("--with-data")
        try:
            yield
        finally:
            self.destroy("--with-data")

    def destroy(self, *words: str) -> Ran:
        return self.run("destroy", "--yes", "--confirm", self.name, *words)

    def secrets(self) -> dict[str, str]:
        """Every secret value by name; the CA's certificate is none."""
        found = yaml.safe_load((self.state / "secrets.yml").read_text())["suite_secrets"]
        return {name: value for name, value in found.items() if name != "suite.ca_cert"}

    def ssh(self, host: str, script: str, *, check: bool = True) -> str:
        """Run a shell script as root on a host."""
        done = subprocess.run(
            [
                "ssh",
                "-F",
                str(self.state / "ssh_config"),
                "-o",
                "ControlMaster=no",
                "-o",
                "ControlPath=none",
                host,
                "sudo",
                "sh",
                "-s",
            ],
            input=script,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert not check or done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
        return done.stdout


def needles(secrets: dict[str, str]) -> dict[str, list[bytes]]:
    """What to look for: the values as they are, line by line where they have several."""
    result: dict[str, list[bytes]] = {}
    for name, value in secrets.items():
        lines = [line for line in value.splitlines() if len(line) >= 12 and not line.startswith("-----")]
        assert lines, f"{name} is too short to be a secret"
        result[name] = [line.encode() for line in lines]
    return result


def holders(secrets: dict[str, str], texts: dict[str, bytes]) -> list[str]:
    """`secret in place` for every secret found in any of the texts."""
    found = []
    for name, values in needles(secrets).items():
        found += [f"{name} in {place}" for place, text in texts.items() if any(value in text for value in values)]
    return found


def leftovers(name: str) -> list[str]:
    """Whatever of a suite is still on this machine: processes, mounts, links, control groups, lines in /etc/hosts."""
    bridge = bridge_of(name)
    found = [
        f"process: {line[:120]}"
        for line in command_lines()
        if re.search(rf"\b(sd-)?{name}\b", line) and "pytest" not in line
    ]
    found += [f"mount: {line}" for line in Path("/proc/self/mounts").read_text().splitlines() if f"/{name}/" in line]
    links = [entry.name for entry in Path("/sys/class/net").iterdir()]
    found += [f"link: {link}" for link in links if link == bridge]
    found += [f"control group: {path}" for path in Path("/sys/fs/cgroup").glob(f"**/*{name}*")]
    found += [f"hosts: {line}" for line in Path("/etc/hosts").read_text().splitlines() if name in line]
    routes = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
    found += [f"route: {line}" for line in routes.splitlines() if bridge and bridge in line]
    return found


def bridge_of(name: str) -> str:
    """The bridge the suite's outputs named, as long as they are there."""
    try:
        return str(json.loads((Path("/var/lib/suite-deploy") / name / "outputs.json").read_text())["facts"]["bridge"])
    except FileNotFoundError:
        return f"sd-{name}"[:15]
