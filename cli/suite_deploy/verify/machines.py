# SPDX-License-Identifier: MIT
"""One host seen through testinfra: each tool is asked once, over one multiplexed SSH connection."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

from ..errors import CouldNotRun
from . import parsers
from .parsers import ContainerFact, FileFact, Socket, UnitFact

JOURNAL_LINES = 25
_TUNNEL_SECONDS = 10
#: prints each ADDRESS/PORT that accepts, all asked at once; who answers does so in milliseconds, what is dropped never
_CONNECT = 'for to; do (timeout 1 bash -c "exec 3<>/dev/tcp/$to" 2>/dev/null && echo "$to") & done; wait'


class Answer(Protocol):
    """What a command on the host gave back."""

    rc: int
    stdout: str
    stderr: str


class Machine:
    """Facts of one host. Read-only; the host name is an alias in `ssh_config`."""

    def __init__(self, name: str, ssh_config: Path):
        self.name = name
        self.ssh_config = ssh_config
        self._unreachable = ""

    @cached_property
    def host(self):  # type of testinfra's Host: the library ships no types
        """The testinfra host, for checks that want its modules."""
        import testinfra

        # ControlPath stands in ssh_config; without it every command would open a connection of its own
        return testinfra.get_host(f"ssh://{self.name}", ssh_config=str(self.ssh_config), sudo=True)

    def ask(self, command: str, *arguments: str) -> Answer:
        """Run a command as root; `%s` takes a quoted argument each. Raises CouldNotRun when SSH itself fails."""
        if not self._unreachable:
            try:
                return self.host.run(command, *arguments)
            except RuntimeError as error:
                # said once by SSH, not waited for again by every check
                said = getattr(error.args[0], "stderr", "") if error.args else ""
                self._unreachable = f"{self.name}: not reachable over SSH: {said.strip() or error}"
        raise CouldNotRun(self._unreachable)

    def read(self, command: str, *arguments: str) -> str:
        """The output of a command that must succeed; raises CouldNotRun with what it said otherwise."""
        answer = self.ask(command, *arguments)
        if answer.rc != 0:
            raise CouldNotRun(f"{self.name}: `{command}` ended with {answer.rc}: {answer.stderr.strip()}")
        return answer.stdout

    @cached_property
    def listening(self) -> tuple[Socket, ...]:
        return parsers.sockets(self.read("ss -Hltunp"))

    @cached_property
    def failed_units(self) -> tuple[str, ...]:
        text = self.read("systemctl list-units --state=failed --plain --no-legend --full")
        return tuple(line.split()[0] for line in text.splitlines() if line.strip())

    def units(self, names: Sequence[str]) -> dict[str, UnitFact]:
        """The units asked for; one that does not exist has `load` not-found."""
        if not names:
            return {}
        quoted = " ".join(["%s"] * len(names))
        text = self.read(f"systemctl show --property=Id,LoadState,ActiveState,SubState,NRestarts -- {quoted}", *names)
        return parsers.units(text)

    def files(self, paths: Sequence[str], digests_of: Sequence[str] = ()) -> dict[str, FileFact]:
        """What is at each path, without following links; absent paths are absent. digests_of: also hash these."""
        if not paths:
            return {}
        command = "stat --printf '%%n\\0%%04a\\0%%U\\0%%G\\0%%u\\0%%g\\n' -- " + " ".join(["%s"] * len(paths))
        command += " 2>/dev/null; echo"
        if digests_of:
            command += "; sha256sum -z -- " + " ".join(["%s"] * len(digests_of)) + " 2>/dev/null"
        return parsers.stats(self.ask(command, *paths, *digests_of).stdout)

    @cached_property
    def containers(self) -> tuple[ContainerFact, ...]:
        command = 'ids=$(podman ps --all --quiet) && test -z "$ids" || podman inspect --type container $ids'
        found = parsers.containers(self.read(command))
        pids = [str(item.pid) for item in found if item.running]
        owners: dict[int, int] = {}
        if pids:
            # a process that ended meanwhile is simply not listed
            listed = self.ask("ps -o pid=,uid= -p %s", ",".join(pids)).stdout
            owners = {int(pid): int(uid) for pid, uid in (line.split() for line in listed.splitlines())}
        return tuple(replace(item, process_uid=owners.get(item.pid)) for item in found)

    @cached_property
    def chain_policies(self) -> dict[str, str]:
        """Hook → policy of the suite's own firewall table; empty when the table is not there."""
        answer = self.ask("nft -j list table inet suite")
        return parsers.chain_policies(answer.stdout) if answer.rc == 0 else {}

    @cached_property
    def clock_offset(self) -> float:
        """Seconds the host's clock is ahead of this machine's, give or take the way there and back."""
        before = time.time()
        there = float(self.read("date +%s.%N"))
        return there - (before + time.time()) / 2

    def reached(self, targets: Iterable[tuple[str, int]], pid: int | None = None) -> set[tuple[str, int]]:
        """The targets to which a TCP connection opens from this host, or from the network of process `pid` on it."""
        wanted = {f"{address}/{port}": (address, port) for address, port in targets}
        if not wanted:
            return set()
        enter = f"nsenter --net --target {pid} " if pid else ""
        quoted = " ".join(["%s"] * len(wanted))
        answer = self.ask(f"{enter}bash -c %s connect {quoted}", _CONNECT, *wanted)
        return {wanted[line] for line in answer.stdout.split() if line in wanted}

    def journal(self, unit: str, lines: int = JOURNAL_LINES) -> str:
        """The end of a unit's journal; why it cannot be read, when it cannot."""
        answer = self.ask("journalctl --no-pager --quiet --output=short -n %s -u %s", str(lines), unit)
        return (answer.stdout or answer.stderr).strip()

    @contextmanager
    def tunnel(self, port: int) -> Iterator[int]:
        """A local port that leads to `port` on the host's loopback, open while the context lasts.

        Raises CouldNotRun when the host does not let it through.
        """
        with socket.create_server(("127.0.0.1", 0)) as free:
            local = free.getsockname()[1]
        forward = f"127.0.0.1:{local}:127.0.0.1:{port}"
        # a connection of its own, which ends with the process: a forward on the shared one would outlive the check
        command = ["ssh", "-F", str(self.ssh_config), "-o", "ControlPath=none", "-o", "ExitOnForwardFailure=yes"]
        process = subprocess.Popen(
            [*command, "-N", "-L", forward, self.name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            _wait_for(local, process, self.name)
            yield local
        finally:
            process.terminate()
            process.communicate()


def _wait_for(port: int, process: subprocess.Popen[str], name: str) -> None:
    deadline = time.monotonic() + _TUNNEL_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise CouldNotRun(f"{name}: no SSH tunnel: {process.communicate()[1].strip()}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise CouldNotRun(f"{name}: no SSH tunnel within {_TUNNEL_SECONDS} seconds")
