# SPDX-License-Identifier: MIT
"""The driver: the order of things, and what is said about them."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from pathlib import Path
from typing import Literal

from stacks.local import bridge, guest, hostsfile, packages, services, sources, tree
from stacks.local.layout import HostWanted, Layout
from stacks.local.machine import Machine
from stacks.local.system import machine_lock, remove_tree, require_root, run, world_readable, write_if_changed
from suite_deploy.errors import CouldNotRun
from suite_deploy.model.outputs import HostOutput, PlanItem, Progress, StackOutputs

BOOT_SECONDS = 60.0
DEFAULT_CACHE = Path("/var/cache/suite-deploy")
#: What `destroy --with-data` leaves in the state directory: it belongs to whoever runs the command, not to the driver.
CALLERS_FILES = {"lock"}


class LocalDriver:
    """Hosts on this machine.

    suite: its name. hosts: the ones wanted now; others found in the state directory are removed (their volumes stay).
    names: FQDN → host it must resolve to for people at this machine; None keeps a name out of /etc/hosts.
    state_dir: this suite's own. cache_dir: shared by all suites of the machine.
    Methods that change something raise CouldNotRun, with the next step, and can be run again after any interruption.
    """

    def __init__(
        self,
        *,
        suite: str,
        hosts: Sequence[HostWanted],
        names: Mapping[str, str | None],
        state_dir: Path,
        cache_dir: Path = DEFAULT_CACHE,
    ) -> None:
        self.suite = suite
        self.hosts = tuple(hosts)
        self.names = {fqdn: host for fqdn, host in names.items() if host is not None}
        # Absolute: services and hosts are recognised by the paths in their arguments.
        self.layout = Layout(suite, state_dir.resolve(), cache_dir.resolve())
        unknown = sorted(set(self.names.values()) - {host.name for host in self.hosts})
        if unknown:
            raise CouldNotRun(f"names of suite {suite} are to resolve to hosts it does not have: {', '.join(unknown)}")

    # --- reading ---------------------------------------------------------------------------------------------------

    def preview(self) -> list[PlanItem]:
        """What `apply` would do. Reads only, needs no root."""
        items = [PlanItem("create", "package", name, packages.NEEDED[name]) for name in packages.missing()]
        network = bridge.plan(self.suite, self.layout.network_record, [host.name for host in self.hosts])
        there = bridge.exists(network)
        items.append(PlanItem("keep" if there else "create", "bridge", network.bridge, str(network.subnet)))
        inputs = self._inputs()
        if not tree.exists(self.layout, inputs.key):
            items.append(PlanItem("create", "base", f"Debian {sources.GUEST_RELEASE}", "built once, about a minute"))
        for service in services.wanted(self.layout, str(network.gateway), inputs.mirrors):
            up = list(services.running(self.layout, service.name).values()) == [service.argv(self.layout)]
            items.append(PlanItem("keep" if up else "create", "service", service.name, service.title))
        for wanted in self.hosts:
            address = str(network.addresses[wanted.name])
            items.append(PlanItem(self._host_action(wanted), "host", wanted.name, address))
        items += [PlanItem("remove", "host", machine.host, "its volumes are kept") for machine in self._unwanted()]
        return items

    def outputs(self) -> StackOutputs | None:
        """What the last `apply` made, None when nothing exists. Needs no root."""
        try:
            return StackOutputs.from_json(self.layout.outputs_record.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise CouldNotRun(
                f"{self.layout.outputs_record} cannot be read ({error}); suite-deploy up {self.suite} writes it anew"
            ) from error

    def memory_used(self, host: str) -> int:
        """Bytes host `host` uses now, without file cache that can be dropped."""
        return Machine(self.layout, host).memory_used()

    def running(self) -> dict[str, bool]:
        """host → whether its machine runs."""
        return {wanted.name: Machine(self.layout, wanted.name).running() for wanted in self.hosts}

    # --- changing --------------------------------------------------------------------------------------------------

    def apply(self, progress: Progress) -> StackOutputs:
        """Bring packages, network, services and hosts to the wanted state and wait until SSH answers."""
        require_root()
        with world_readable():
            return self._apply(progress)

    def _apply(self, progress: Progress) -> StackOutputs:
        self.layout.state_dir.mkdir(parents=True, exist_ok=True)
        with self._alone(progress):
            packages.ensure(progress)
            network = bridge.plan(self.suite, self.layout.network_record, [host.name for host in self.hosts])
            bridge.ensure(network, self.layout.network_record, self._owner())
            inputs = self._inputs()
            sources.remember(inputs.mirrors, self.layout.mirrors_record)
            newest = tree.ensure(self.layout, inputs, progress)
            for wanted in self.hosts:
                machine = Machine(self.layout, wanted.name)
                tree.claim(self.layout, self._base_of(machine) or newest, machine.directory)
        services.ensure(services.wanted(self.layout, str(network.gateway), inputs.mirrors), self.layout, progress)
        public_key = self._ssh_key()
        for machine in self._unwanted():
            progress(f"removing host {machine.host}; its volumes are kept")
            machine.stop()
            machine.discard()
        for wanted in self.hosts:
            self._bring_up(wanted, network, newest, public_key, progress)
        self._wait_for_ssh(network)
        self._check_paths(network)
        outputs = self._outputs(network, inputs)
        self._write_records(outputs, progress)
        return outputs

    def destroy(self, progress: Progress, *, with_data: bool) -> list[str]:
        """Remove everything but volumes, keys and secrets; those too `with_data`. The shared cache stays.

        Returns what was kept, one line each. Works on whatever an interrupted run left.
        """
        require_root()
        machines = self._machines()
        if machines:
            progress("powering off " + ", ".join(machine.host for machine in machines))
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(Machine.stop, machines))
        for machine in machines:
            machine.discard()
        services.stop(self.layout)
        network = bridge.read(self.layout.network_record)
        if network:
            progress(f"removing the bridge {network.bridge}")
            bridge.remove(network, self._owner())
        with machine_lock(self.layout.hosts_file_lock, progress, "/etc/hosts"):
            hostsfile.update(self.suite, {})
        self.layout.outputs_record.unlink(missing_ok=True)
        for directory in (self.layout.services, self.layout.hosts):
            remove_tree(directory)
        if not with_data:
            return self._kept()
        for path in self.layout.state_dir.iterdir() if self.layout.state_dir.is_dir() else ():
            if path.name in CALLERS_FILES:
                continue
            if path.is_dir() and not path.is_symlink():
                remove_tree(path)
            else:
                path.unlink()
        return []

    # --- steps -----------------------------------------------------------------------------------------------------

    def _owner(self) -> str:
        return f"suite-deploy {self.suite} {self.layout.state_dir}"[:255]

    def _alone(self, progress: Progress) -> contextlib.AbstractContextManager[None]:
        """The machine's lock when something shared will change. A run that changes nothing waits for nobody."""
        settled = (
            not packages.missing()
            and bridge.read(self.layout.network_record) is not None
            and all(self._host_action(wanted) in ("keep", "change") for wanted in self.hosts)
            and tree.exists(self.layout, self._inputs().key)
        )
        if settled:
            return contextlib.nullcontext()
        return machine_lock(self.layout.machine_lock, progress, "this machine's packages and base system")

    def _inputs(self) -> tree.BaseInputs:
        return tree.BaseInputs(sources.remembered(self.layout.mirrors_record), tuple(sources.extra_cas()))

    def _machines(self) -> list[Machine]:
        """Wanted hosts and those that have a directory."""
        found = [path.name for path in self.layout.hosts.iterdir()] if self.layout.hosts.is_dir() else []
        names = dict.fromkeys([*(host.name for host in self.hosts), *sorted(found)])
        return [Machine(self.layout, name) for name in names]

    def _unwanted(self) -> list[Machine]:
        wanted = {host.name for host in self.hosts}
        return [machine for machine in self._machines() if machine.host not in wanted]

    def _base_of(self, machine: Machine) -> str | None:
        """The base tree under a host, None when the host or the tree is not there."""
        base = machine.base()
        return base if base and tree.exists(self.layout, base) else None

    def _host_action(self, wanted: HostWanted) -> Literal["create", "replace", "change", "keep"]:
        machine = Machine(self.layout, wanted.name)
        if machine.base() is None:
            return "create"
        if self._base_of(machine) is None:
            return "replace"
        return "keep" if list(machine.supervisors().values()) == [machine.argv(wanted)] else "change"

    def _bring_up(
        self, wanted: HostWanted, network: bridge.Network, newest: str, public_key: str, progress: Progress
    ) -> None:
        """Make, start or restart a host as far as that is needed."""
        action = self._host_action(wanted)
        if action == "keep":
            return
        machine = Machine(self.layout, wanted.name)
        saying = {"create": "making and starting", "replace": "making anew", "change": "starting"}
        progress(f"{saying[action]} host {wanted.name} ({network.addresses[wanted.name]})")
        # Also half-made ones: what is left of them may still run.
        machine.stop()
        if action == "replace":
            machine.discard()
        base = machine.base() or newest
        proxy = f"http://{network.gateway}:{services.APT_PORT}"
        machine.prepare(wanted, network, tree.path(self.layout, base), public_key, proxy)
        machine.start(wanted)

    def _ssh_key(self) -> str:
        """The public half of the suite's key, made when there is none."""
        key = self.layout.ssh_key
        public = key.with_suffix(".pub")
        if not key.exists() or not public.exists():
            key.unlink(missing_ok=True)
            public.unlink(missing_ok=True)
            comment = f"suite-deploy {self.suite}"
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", key], doing="make the SSH key")
        return public.read_text(encoding="ascii")

    def _wait_for_ssh(self, network: bridge.Network) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        for wanted in self.hosts:
            address = network.addresses[wanted.name]
            machine = Machine(self.layout, wanted.name)
            while not _ssh_answers(address):
                if time.monotonic() > deadline or not machine.running():
                    state = "does not answer on SSH" if machine.running() else "ended while starting"
                    log = machine.log.read_text(errors="replace").splitlines()[-15:] if machine.log.exists() else []
                    raise CouldNotRun(
                        f"host {wanted.name} ({address}) {state}; {machine.log} ends with:\n  " + "\n  ".join(log)
                    )
                time.sleep(0.1)

    def _check_paths(self, network: bridge.Network) -> None:
        """Say at once when this machine's own firewall cuts the hosts off, instead of letting a role wait for it.

        Asked of each host once per start.
        """
        for wanted in self.hosts:
            machine = Machine(self.layout, wanted.name)
            if machine.paths_checked.exists():
                continue
            if not machine.connects(network.gateway, services.APT_PORT):
                raise CouldNotRun(
                    f"host {wanted.name} cannot reach {network.gateway}:{services.APT_PORT}: this machine's firewall"
                    f" drops what comes from {network.bridge}.\nAllow it, for example: ufw allow in on {network.bridge}"
                )
            for other in self.hosts:
                if other != wanted and not machine.connects(network.addresses[other.name], 22):
                    raise CouldNotRun(
                        f"hosts {wanted.name} and {other.name} cannot reach each other: this machine filters bridged"
                        f" traffic (Docker does).\nAllow it, for example: iptables -I FORWARD -i {network.bridge}"
                        f" -o {network.bridge} -j ACCEPT"
                    )
            machine.paths_checked.touch()

    def _outputs(self, network: bridge.Network, inputs: tree.BaseInputs) -> StackOutputs:
        hosts = tuple(
            HostOutput(
                name=wanted.name,
                address=str(network.addresses[wanted.name]),
                private_address=str(network.addresses[wanted.name]),
                groups=tuple(wanted.groups),
                ssh_user=guest.ADMIN_USER,
                volumes=dict.fromkeys(sorted(wanted.volumes), ""),
            )
            for wanted in self.hosts
        )
        edge = next((host for host in hosts if "edge" in host.groups), hosts[0] if hosts else None)
        registry = f"{network.gateway}:{services.REGISTRY_PORT}"
        return StackOutputs(
            driver="local",
            suite=self.suite,
            hosts=hosts,
            private_networks=(str(network.subnet),),
            public_address=edge.address if edge else "",
            ssh_private_key=self.layout.ssh_key,
            ssh_known_hosts=self.layout.known_hosts,
            dns_records={fqdn: str(network.addresses[host]) for fqdn, host in sorted(self.names.items())},
            # in this machine's /etc/hosts
            dns_created=tuple(sorted(self.names)),
            host_vars={
                "host_apt_proxy": f"http://{network.gateway}:{services.APT_PORT}",
                "host_apt_sources": inputs.mirrors.guest_sources(),
                "host_extra_cas": list(inputs.cas),
                "host_kernel_limited": True,
                "app_insecure_registries": [registry],
            },
            facts={"registry": registry, "bridge": network.bridge, "network": str(network.subnet)},
        )

    def _write_records(self, outputs: StackOutputs, progress: Progress) -> None:
        lines = [
            f"{host.name},{host.address} {guest.host_key(Machine(self.layout, host.name).root)}\n"
            for host in outputs.hosts
        ]
        write_if_changed(self.layout.known_hosts, "".join(lines))
        with machine_lock(self.layout.hosts_file_lock, progress, "/etc/hosts"):
            hostsfile.update(self.suite, outputs.dns_records)
        write_if_changed(self.layout.outputs_record, outputs.to_json())

    def _kept(self) -> list[str]:
        kept = []
        if self.layout.volumes.is_dir():
            kept += [f"volume {path}" for path in sorted(self.layout.volumes.glob("*/*")) if path.is_dir()]
        if (self.layout.state_dir / "secrets.yml").exists():
            kept.append(f"secrets {self.layout.state_dir / 'secrets.yml'}")
        return kept


def _ssh_answers(address: IPv4Address) -> bool:
    try:
        with socket.create_connection((str(address), 22), timeout=2) as connection:
            connection.settimeout(3)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
