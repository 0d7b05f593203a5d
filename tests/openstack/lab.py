# SPDX-License-Identifier: MIT
"""A suite on a real OpenStack, from the inventory to hosts that roles can run on, through the product's own driver.

The engine alone is a double: everything before and after it, credentials, quota, plan, refusals, outputs, secrets and
removal, is what `suite-deploy up` and `destroy` run.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from suite_deploy.cloud.driver import CloudDriver, backend_url
from suite_deploy.model.loader import load
from suite_deploy.model.outputs import StackOutputs
from suite_deploy.policy import collect_ambient, judge
from suite_deploy.policy.gate import carried
from suite_deploy.render.inventory import CONFIG, INVENTORY, SSH_CONFIG, addresses, write_inventory
from suite_deploy.render.render import render
from suite_deploy.runners.process import clean_environment
from suite_deploy.secrets.ensure import STACK_TOP_KEY, add_missing, open_store, stack_secrets_file
from tests.checkout import ROOT
from tests.openstack.realise import OpenStack
from tests.stacks.realiser import Kept
from tests.stacks.realising import RealisingStack, State

NAME = "suite-lab"
#: seconds for guests whose processor is emulated
PATIENCE = 1800


@dataclass(frozen=True)
class Run:
    """A run of `up`. did: resource → operation. seconds: until the program ended, and until the hosts answered."""

    did: dict[str, str]
    program: float
    hosts: float

    def names(self, *operations: str) -> set[str]:
        return {name for name, operation in self.did.items() if operation in operations}

    @property
    def changed(self) -> set[str]:
        return set(self.did) - self.names("same")


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
        key = directory / "id_ed25519"
        if not key.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        self.vault = directory / "vault-password"
        self.vault.touch(mode=0o600)
        self.vault.write_text("of this lane alone")
        self.settings = {**settings, "ssh": {**settings["ssh"], "key": str(key)}}
        self.settings["state"] = {"directory": str(self.state)}
        self.region = str(settings["infrastructure"]["region"])
        self.object_store = str(settings["infrastructure"].get("object_store", {}).get("endpoint", ""))
        self._write(self.settings)
        self.cloud = OpenStack(str(settings["infrastructure"]["auth_url"]), self.region)
        deployment = load(str(self.inventory))
        add_missing(open_store(deployment, self.vault), deployment.secrets_wanted)
        self.outputs: StackOutputs | None = self.driver().outputs()

    def _write(self, settings: dict[str, Any]) -> None:
        (self.inventory / "suite.yml").write_text(yaml.safe_dump(settings, sort_keys=False))

    @contextmanager
    def written(self, **infrastructure: Any) -> Iterator[None]:
        """The inventory with other words below `infrastructure`, for as long as the block lasts."""
        self._write({**self.settings, "infrastructure": {**self.settings["infrastructure"], **infrastructure}})
        try:
            yield
        finally:
            self._write(self.settings)

    def driver(self) -> CloudDriver:
        """As each command makes it anew."""
        return CloudDriver(load(str(self.inventory)), self.vault)

    def up(self) -> Run:
        """What `up` does about the infrastructure, then what connects to the hosts. Raises what it raises."""
        said: dict[str, float] = {}
        started = time.monotonic()

        def progress(text: str) -> None:
            said[text] = time.monotonic()

        self.outputs = self.driver().apply(progress)
        ended, made = time.monotonic(), said["waiting for the hosts to answer"]
        self._configure()
        return Run(dict(RealisingStack.did), made - started, ended - made)

    def destroy(self, *, with_data: bool) -> list[str]:
        """What `destroy` does; what was kept."""
        return self.driver().destroy(lambda text: None, with_data=with_data)

    @property
    def kept(self) -> dict[str, Kept]:
        """What the engine's state knows, by name."""
        folder = Path(urlsplit(backend_url(load(str(self.inventory)))).path)
        return {kept.name: kept for kept in State.read(folder / f"{NAME}.realised.json").kept.values()}

    @property
    def secrets(self) -> dict[str, str]:
        """What the stack made for the roles."""
        path = stack_secrets_file(load(str(self.inventory)))
        return dict(yaml.safe_load(path.read_text())[STACK_TOP_KEY]) if path else {}

    @property
    def bucket_slug(self) -> str:
        """The component that the one bucket belongs to."""
        (slug,) = (name.removesuffix(".bucket") for name in self.secrets if name.endswith(".bucket"))
        return slug

    def _configure(self) -> None:
        """What `up` writes after the infrastructure: build tree, inventory with the verdict, SSH configuration."""
        assert self.outputs is not None
        deployment = load(str(self.inventory))
        tree = render(deployment, addresses(self.outputs))
        verdict = judge(deployment, tree, ambient=collect_ambient({}, Path("/nonexistent")))
        tree.write(self.state / "build")
        write_inventory(self.state, tree, self.outputs, carried(verdict, inputs=tree.digest), tree.digest)

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
        command += [f"--extra-vars=@{self.inventory / 'secrets.yml'}", f"--vault-password-file={self.vault}"]
        command += [f"--tags={tag}", f"--limit={limit}"]
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
