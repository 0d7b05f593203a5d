# SPDX-License-Identifier: MIT
"""A suite on a real OpenStack, from the inventory to hosts that roles can run on; driven without an engine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from stacks.components.outputs import read_outputs, read_secrets
from stacks.components.reach import wait_for_ssh
from suite_deploy.model.loader import load
from suite_deploy.model.outputs import StackOutputs
from suite_deploy.policy import collect_ambient, judge
from suite_deploy.policy.gate import carried
from suite_deploy.render.inventory import CONFIG, INVENTORY, SSH_CONFIG, addresses, write_inventory
from suite_deploy.render.render import render
from suite_deploy.runners.process import clean_environment
from suite_deploy.secrets.ensure import add_missing
from suite_deploy.secrets.store import SecretStore
from tests.checkout import ROOT
from tests.openstack.realise import Cloud, Run

NAME = "suite-lab"
#: seconds for guests whose processor is emulated
PATIENCE = 1800


@dataclass(frozen=True)
class Play:
    """A run of roles. changed: how many results changed something, over all hosts."""

    changed: int
    seconds: float
    output: str


class Lab:
    """One suite: its inventory, what was made of it, and ways to look at it."""

    def __init__(self, directory: Path, settings: dict[str, Any]) -> None:
        self.directory, self.state = directory, directory / "state"
        self.inventory = directory / "inventory"
        self.inventory.mkdir(parents=True, exist_ok=True)
        self.key = directory / "id_ed25519"
        if not self.key.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)
        settings["ssh"]["key"] = str(self.key)
        infrastructure = settings["infrastructure"]
        self.region = str(infrastructure["region"])
        self.object_store = str(infrastructure.get("object_store", {}).get("endpoint", ""))
        (self.inventory / "suite.yml").write_text(yaml.safe_dump(settings, sort_keys=False))
        self.cloud = Cloud(directory / "cloud.json")
        self.outputs: StackOutputs | None = None
        self.secrets: dict[str, str] = {}
        if self.cloud.state:
            self.up()

    def up(self) -> Run:
        """Run the program, and write what connects to the hosts."""
        run = self.cloud.up(self.inventory, NAME)
        made = run.recorded.outputs
        self.outputs = read_outputs(made, ssh_private_key=self.key, ssh_known_hosts=self.directory / "known_hosts")
        self.secrets = read_secrets(made)
        self._configure()
        return run

    def _configure(self) -> None:
        """What `up` writes after the infrastructure: build tree, inventory with the verdict, SSH configuration."""
        assert self.outputs is not None
        deployment = load(str(self.inventory))
        tree = render(deployment, addresses(self.outputs))
        verdict = judge(deployment, tree, ambient=collect_ambient({}, Path("/nonexistent")))
        tree.write(self.state / "build")
        write_inventory(self.state, tree, self.outputs, carried(verdict, inputs=tree.digest), tree.digest)
        store = SecretStore(self.directory / "secrets.yml", vaulted=False)
        add_missing(store, deployment.secrets_wanted)

    def wait(self) -> float:
        """Until every host answers; seconds it took."""
        assert self.outputs is not None
        started = time.monotonic()
        wait_for_ssh(self.state / SSH_CONFIG, self.outputs.hosts, print, limit=PATIENCE)
        return time.monotonic() - started

    def ssh(self, host: str, command: str, check: bool = True) -> str:
        """Run a shell command on a host; what it printed."""
        ended = subprocess.run(
            ["ssh", "-F", str(self.state / SSH_CONFIG), host, command],
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert not check or ended.returncode == 0, f"{host}: {command}: {ended.stderr}"
        return ended.stdout.strip()

    def make_ordinary(self, host: str) -> None:
        """Undo what an image trimmed for emulation leaves out, where it is one; an ordinary image stays as it is.

        Such an image brings every package and needs no index: reading one takes an emulated guest a quarter of an
        hour. Where a package is missing the role fetches it from the guest's own sources, as it does anywhere.
        """
        stamp = "/var/lib/apt/periodic/update-success-stamp"
        brought = "dpkg-query --show nftables unattended-upgrades systemd-timesyncd acl podman python3-apt >/dev/null"
        self.ssh(host, f"{brought} && sudo install -D /dev/null {stamp}", check=False)
        self.ssh(host, "sudo systemctl unmask systemd-timesyncd.service", check=False)

    def converge(self, tag: str, limit: str = "all") -> Play:
        """Run roles/site.yml over the generated inventory: what carries `tag`, on the hosts of `limit`."""
        command = [sys.executable, "-m", "ansible", "playbook", f"--inventory={self.state / INVENTORY}"]
        command += [f"--extra-vars=@{self.directory / 'secrets.yml'}", f"--tags={tag}", f"--limit={limit}"]
        command += [str(ROOT / "roles" / "site.yml")]
        started = time.monotonic()
        environment = {
            "ANSIBLE_CONFIG": str(self.state / CONFIG),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_CALLBACKS_ENABLED": "ansible.posix.profile_tasks",
            "ANSIBLE_SSH_TIMEOUT": "60",
        }
        ended = subprocess.run(
            command,
            env=clean_environment(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
        recap = [line for line in ended.stdout.splitlines() if " changed=" in line]
        changed = sum(int(line.split("changed=")[1].split()[0]) for line in recap)
        return Play(changed, time.monotonic() - started, ended.stdout)


def settings(external: str, image: str, flavor: str, object_store: str) -> dict[str, Any]:
    """The lab's inventory, with the lab's own names; the program refuses what the lab does not have."""
    infrastructure: dict[str, Any] = {
        "driver": "openstack",
        "offer": "laboratory/openstack",
        "region": os.environ["OS_REGION_NAME"],
        "auth_url": os.environ["OS_AUTH_URL"],
        "external_network": external,
        "image": {"name": image},
        "hosts": {
            "edge-1": {"flavor": flavor, "groups": ["edge", "apps", "media"]},
            "data-1": {"flavor": flavor, "groups": ["data"], "volumes": {"postgresql": "1GiB"}},
        },
    }
    if object_store:
        infrastructure["object_store"] = {"endpoint": object_store, "region": os.environ["OS_REGION_NAME"]}
    return {
        "schema": 1,
        "suite": NAME,
        "domain": "suite.lab.example",
        "profile": "dev",
        "infrastructure": infrastructure,
        "ssh": {"from": [f"{own_address()}/32"]},
        "components": {"keycloak": {}, "synapse": {}, "grist": {}},
    }


def own_address() -> str:
    """This machine's address as the lab sees it."""
    target = urlsplit(os.environ["OS_AUTH_URL"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((target.hostname, target.port or 443))
        return str(probe.getsockname()[0])


def until_true(ask: Callable[[], bool], seconds: float = 120) -> bool:
    """Whether something becomes true within `seconds`."""
    end = time.monotonic() + seconds
    while not (answer := ask()) and time.monotonic() < end:
        time.sleep(2)
    return answer


def port_answers(address: str, port: int, seconds: float = 8) -> bool:
    """Whether a TCP connection from here is accepted; a filter lets it time out."""
    try:
        with socket.create_connection((address, port), timeout=seconds):
            return True
    except OSError:
        return False


def left_over(connection: Any, suite: str) -> list[str]:
    """Everything of a suite that the project still holds, as `kind name`."""
    kinds = {
        "server": connection.compute.servers(),
        "volume": connection.block_storage.volumes(),
        "network": connection.network.networks(is_router_external=False),
        "router": connection.network.routers(),
        "security group": connection.network.security_groups(),
        "port": connection.network.ports(),
        "server group": connection.compute.server_groups(),
        "container": connection.object_store.containers(),
    }
    found = [f"{kind} {item.name}" for kind, items in kinds.items() for item in items if suite in (item.name or "")]
    addresses_ = [item for item in connection.network.ips() if suite in (item.description or "")]
    pairs = connection.identity.get(f"/users/{connection.current_user_id}/credentials/OS-EC2").json()["credentials"]
    return found + [f"address {item.floating_ip_address}" for item in addresses_] + [json.dumps(one) for one in pairs]
