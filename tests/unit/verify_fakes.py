# SPDX-License-Identifier: MIT
"""Hosts made of canned tool output: a healthy one, to be broken by each test in its own way."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite_deploy.model.deployment import Deployment
from suite_deploy.model.outputs import HostOutput, StackOutputs
from suite_deploy.verify import expected
from suite_deploy.verify.machines import Machine


@dataclass
class Answer:
    rc: int = 0
    stdout: str = ""
    stderr: str = ""


@dataclass(frozen=True)
class InstalledFile:
    """A file as `stat` and `sha256sum` see it; its ids belong to no account of the host."""

    mode: str
    uid: int
    gid: int
    sha256: str


@dataclass
class Facts:
    """What the tools of a host say; tests change it before the checks look."""

    sockets: list[str] = field(default_factory=list)
    units: dict[str, dict[str, str]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    containers: list[dict[str, Any]] = field(default_factory=list)
    process_uids: dict[int, int] = field(default_factory=dict)
    files: dict[str, InstalledFile] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=lambda: {"input": "drop", "forward": "drop"})
    clock: float = 0.0
    handshake: str = "Verification: OK\n"
    handshake_rc: int = 0
    journal: str = "a line of the journal"
    unreachable: bool = False
    #: pid → what its network reaches; "" is everything, and None is the host itself
    reach: dict[int | None, str] = field(default_factory=lambda: {None: ""})


class FakeMachine(Machine):
    """A Machine whose commands are answered from Facts; every command the product may run is known here."""

    def __init__(self, name: str, facts: Facts):
        super().__init__(name, Path("/nonexistent"))
        self.facts = facts
        self.asked: list[str] = []

    def ask(self, command: str, *arguments: str) -> Answer:
        from suite_deploy.errors import CouldNotRun

        if self.facts.unreachable:
            raise CouldNotRun(f"{self.name}: not reachable over SSH: refused")
        self.asked.append(command)
        known: dict[str, Callable[[tuple[str, ...]], Answer]] = {
            "ss ": lambda _: Answer(stdout="\n".join(self.facts.sockets)),
            "systemctl show": self._units,
            "systemctl list-units": lambda _: Answer(
                stdout="\n".join(f"{unit} loaded failed" for unit in self.facts.failed)
            ),
            "ids=$(podman": lambda _: Answer(stdout=json.dumps(self.facts.containers)),
            "ps ": self._processes,
            "stat ": self._files,
            "nft ": lambda _: self._firewall(),
            "date ": lambda _: Answer(stdout=f"{time.time() + self.facts.clock:.6f}"),
            "bash ": lambda targets: self._reached(None, targets),
            "nsenter ": lambda targets: self._reached(int(command.split()[3]), targets),
            "openssl ": lambda _: Answer(self.facts.handshake_rc, self.facts.handshake),
            "journalctl ": lambda _: Answer(stdout=self.facts.journal),
        }
        for prefix, answer in known.items():
            if command.startswith(prefix):
                return answer(arguments)
        raise AssertionError(f"the fake host does not know {command!r}")

    def _units(self, names: tuple[str, ...]) -> Answer:
        gone = {"LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead"}
        blocks = [{"Id": name, **self.facts.units.get(name, gone)} for name in names]
        return Answer(
            stdout="\n\n".join("\n".join(f"{key}={value}" for key, value in block.items()) for block in blocks)
        )

    def _processes(self, arguments: tuple[str, ...]) -> Answer:
        pids = [int(pid) for pid in arguments[0].split(",")]
        return Answer(stdout="\n".join(f"{pid} {self.facts.process_uids[pid]}" for pid in pids))

    def _files(self, paths: tuple[str, ...]) -> Answer:
        wanted = [path for path in dict.fromkeys(paths) if path in self.facts.files]
        found = {path: self.facts.files[path] for path in wanted}
        lines = [f"{path}\0{one.mode}\0UNKNOWN\0UNKNOWN\0{one.uid}\0{one.gid}" for path, one in found.items()]
        digests = "".join(f"{one.sha256}  {path}\0" for path, one in found.items())
        return Answer(stdout="\n".join(lines) + "\n\n" + digests)

    def _reached(self, pid: int | None, targets: tuple[str, ...]) -> Answer:
        prefix = self.facts.reach.get(pid)
        open_ones = [target for target in targets[1:] if prefix is not None and target.startswith(prefix)]
        return Answer(stdout="\n".join(open_ones))

    def _firewall(self) -> Answer:
        chains = [
            {"chain": {"name": hook, "hook": hook, "policy": policy}} for hook, policy in self.facts.policies.items()
        ]
        return Answer(stdout=json.dumps({"nftables": chains})) if chains else Answer(rc=1, stderr="No such file")


def outputs_of(deployment: Deployment) -> StackOutputs:
    """Outputs as a driver gives them, on documentation addresses."""
    hosts = tuple(
        HostOutput(host.name, f"192.0.2.{index + 10}", f"192.0.2.{index + 10}", host.groups)
        for index, host in enumerate(deployment.hosts)
    )
    edge = next(host for host in hosts if "edge" in host.groups)
    return StackOutputs(
        driver=deployment.driver,
        suite=deployment.suite.suite,
        hosts=hosts,
        private_networks=("192.0.2.0/24",),
        public_address=edge.address,
        ssh_private_key=Path("/nonexistent"),
        ssh_known_hosts=Path("/nonexistent"),
    )


def healthy(deployment: Deployment, host: HostOutput) -> Facts:
    """What a host on which everything is as it must be says."""
    facts = Facts()
    for unit in expected.units(deployment, host):
        facts.units[unit] = {"LoadState": "loaded", "ActiveState": "active", "SubState": "running", "NRestarts": "0"}
    for endpoint in expected.endpoints(deployment, host):
        if endpoint.required:
            address = {"any": "::", "private": host.private_address}.get(endpoint.where, "127.0.0.1")
            facts.sockets.append(socket_line(endpoint.proto, address, endpoint.ports[0]))
    for component in expected.here(deployment, host):
        for (name, service), unit in zip(
            component.description.services.items(), expected.units_of(component), strict=True
        ):
            pid = 1000 + len(facts.containers)
            facts.process_uids[pid] = component.uid_base + service.user
            found = container(f"suite-{component.slug}-{name}", unit, pid, component.uid_base)
            found["NetworkSettings"] = {"Networks": {component.slug: {"IPAddress": f"10.89.{pid - 999}.2"}}}
            facts.containers.append(found)
    return facts


def socket_line(proto: str, address: str, port: int, process: str = "daemon") -> str:
    """A line of `ss -Hltunp`."""
    state = "LISTEN" if proto == "tcp" else "UNCONN"
    place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    return f'{proto}   {state} 0      128    {place}   0.0.0.0:*    users:(("{process}",pid=7,fd=6))'


def container(name: str, unit: str, pid: int, uid_base: int) -> dict[str, Any]:
    """The parts of `podman inspect` that count."""
    return {
        "Name": name,
        "ImageName": f"registry.example/{name}@sha256:{'a' * 64}",
        "ImageDigest": f"sha256:{'a' * 64}",
        "EffectiveCaps": [],
        "State": {"Running": True, "Pid": pid},
        "Config": {"Labels": {"PODMAN_SYSTEMD_UNIT": unit}},
        "HostConfig": {
            "Privileged": False,
            "ReadonlyRootfs": True,
            "NetworkMode": "suite-net",
            "IDMappings": {"UidMap": [f"0:{uid_base}:65536"], "GidMap": [f"0:{uid_base}:65536"]},
        },
    }


def connect(facts: Mapping[str, Facts]) -> Callable[[str], FakeMachine]:
    """What `run_verify(connect=…)` takes."""
    return lambda name: FakeMachine(name, facts[name])
