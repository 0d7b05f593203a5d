# SPDX-License-Identifier: MIT
"""A real local host for tests of roles: converge a role on it, look at it, connect to it from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import testinfra

from suite_deploy.model.outputs import StackOutputs
from tests.checkout import ROOT


@dataclass(frozen=True)
class Converged:
    """What one run of a role did. changed: names of tasks that changed something; seconds: wall-clock time."""

    role: str
    situation: str
    run: str
    seconds: float
    changed: tuple[str, ...]
    output: str


class ConvergeFailed(AssertionError):
    """The role failed; the message carries what Ansible said."""


@dataclass(repr=False)
class Box:
    """One host. outputs: how it is reached. scratch: for inventories and keys of the tests."""

    outputs: StackOutputs
    scratch: Path
    runs: list[Converged] = field(default_factory=list)

    def __post_init__(self) -> None:
        host = self.outputs.hosts[0]
        self.address = host.private_address
        self.network = self.outputs.private_networks[0]
        #: this machine, as the host sees it
        self.outside = self.outputs.facts["registry"].rpartition(":")[0]
        self.ssh_config = self.scratch / "ssh_config"
        self.ssh_config.write_text(
            f"Host {host.name}\n  HostName {host.address}\n  Port {host.ssh_port}\n  User {host.ssh_user}\n"
            f"  IdentityFile {self.outputs.ssh_private_key}\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {self.outputs.ssh_known_hosts}\n  StrictHostKeyChecking yes\n"
            "  ControlMaster auto\n  ControlPersist 60\n  ControlPath /tmp/role-tests-%C\n"
        )
        self.host = testinfra.get_host(f"ssh://{host.name}?sudo=True", ssh_config=str(self.ssh_config))
        self.inventory = self.scratch / "inventory.json"
        variables = dict(self.outputs.host_vars) | {
            "ansible_ssh_common_args": f"-F {self.ssh_config}",
            "ansible_user": host.ssh_user,
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        groups = {group: {"hosts": {host.name: {}}} for group in host.groups}
        self.inventory.write_text(json.dumps({"all": {"children": groups, "vars": variables}}))

    def converge(
        self,
        role: str,
        situation: str,
        variables: Mapping[str, Any],
        *,
        run: str = "first",
        arguments: Sequence[str] = (),
    ) -> Converged:
        """Run a role with these variables; raises ConvergeFailed. run: its name in the table of times."""
        given = self.scratch / f"{role}-{situation}.json"
        given.touch(mode=0o600)
        given.write_text(json.dumps(dict(variables) | {"role_under_test": role}))
        started = time.monotonic()
        done = run_playbook("converge.yml", self.inventory, given, self.scratch, arguments)
        changed, failures = read_results(done.stdout)
        if done.returncode or failures:
            raise ConvergeFailed(
                f"role {role} ({situation}, {run} run) failed\n" + ("\n".join(failures) or done.stdout + done.stderr)
            )
        result = Converged(role, situation, run, time.monotonic() - started, changed, done.stdout + done.stderr)
        self.runs.append(result)
        return result

    def refusals(self, role: str, mistakes: Sequence[Mapping[str, Any]]) -> list[str]:
        """What a role says to each of these sets of variables when it refuses it, empty when it does not."""
        files = [self.scratch / f"{role}-mistake-{number}.json" for number in range(len(mistakes))]
        for file, variables in zip(files, mistakes, strict=True):
            file.touch(mode=0o600)
            file.write_text(json.dumps(variables))
        given = self.scratch / f"{role}-mistakes.json"
        given.write_text(json.dumps({"role_under_test": role, "mistakes": [str(file) for file in files]}))
        started = time.monotonic()
        done = run_playbook("refuse.yml", self.inventory, given, self.scratch)
        seconds, output = time.monotonic() - started, done.stdout + done.stderr
        self.runs.append(Converged(role, "mistakes", "refused", seconds, (), output))
        said: dict[str, str] = {}
        current = ""
        for task in json.loads(done.stdout[done.stdout.find("{") :])["plays"][0]["tasks"]:
            for result in task["hosts"].values():
                if task["task"]["name"] == "Take the variables of this mistake":
                    current = str(files[len(said)])
                    said[current] = ""
                elif task["task"]["name"] == "Keep what it said":
                    said[current] = str(result["msg"])
        return [said.get(str(file), "") for file in files]

    def command(self, command: str, *, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a shell command as root on the host."""
        argv = ["ssh", "-F", str(self.ssh_config), self.outputs.hosts[0].name, "sudo", "sh", "-s"]
        return subprocess.run(
            argv, input=f"{command}\n{stdin}", capture_output=True, text=True, check=False, timeout=120
        )

    def succeed(self, command: str) -> str:
        """Run a shell command as root on the host that must succeed; returns what it printed."""
        done = self.command(command)
        assert done.returncode == 0, f"{command}\nended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout.strip()


def run_playbook(
    playbook: str, inventory: Path | str, variables: Path, scratch: Path, arguments: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a playbook of tests/roles with the project's roles; its output is JSON."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")} | {
        "ANSIBLE_HOME": str(scratch / "ansible"),
        "ANSIBLE_INJECT_FACT_VARS": "False",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_ROLES_PATH": str(ROOT / "roles"),
        # else Ansible shares one connection per host *name*, and two sessions at once end up on the same host
        "ANSIBLE_SSH_ARGS": "",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
    }
    program = Path(sys.executable).parent / "ansible-playbook"
    argv = [str(program), "-i", str(inventory), str(ROOT / "tests/roles" / playbook), "-e", f"@{variables}", *arguments]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=900)


def read_results(output: str) -> tuple[tuple[str, ...], list[str]]:
    """The names of tasks that changed something, and what failed."""
    start = output.find("{")
    try:
        report = json.loads(output[start:]) if start >= 0 else {"plays": []}
    except json.JSONDecodeError:
        return (), [output]
    changed, failures = [], []
    for play in report["plays"]:
        for task in play["tasks"]:
            for result in task["hosts"].values():
                name = task["task"]["name"]
                if result.get("changed"):
                    changed.append(name)
                if result.get("failed") or result.get("unreachable"):
                    failures.append(f"{name}: {json.dumps(result.get('msg', result), indent=1)}")
    return tuple(changed), failures
