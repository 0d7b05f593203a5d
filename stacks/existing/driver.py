# SPDX-License-Identifier: MIT
"""Describes the inventory's own hosts as the other drivers describe theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path

from suite_deploy.model.outputs import HostOutput, PlanItem, Progress, StackOutputs
from suite_deploy.model.values import is_address


@dataclass(frozen=True)
class HostGiven:
    """A host as the inventory has it. `address` is what SSH connects to; `private_address` defaults to it.

    public: whether users reach it at `address`. volumes: kind → device, or "" where /srv/<kind> is mounted already.
    """

    name: str
    address: str
    groups: tuple[str, ...]
    private_address: str = ""
    public: bool = False
    volumes: Mapping[str, str] = field(default_factory=dict)


def default_ssh_key() -> Path:
    """The first of the keys ssh itself would try."""
    candidates = [Path("~/.ssh", name).expanduser() for name in ("id_ed25519", "id_ecdsa", "id_rsa")]
    return next((path for path in candidates if path.exists()), candidates[0])


class ExistingDriver:
    """suite: its name. hosts: the inventory's. ssh_key: private key file, the operator's own default key when absent.

    names: FQDN → host, for the DNS records the operator has to publish; None leaves a name out.
    """

    def __init__(
        self,
        *,
        suite: str,
        hosts: Sequence[HostGiven],
        names: Mapping[str, str | None],
        state_dir: Path,
        ssh_user: str = "suite",
        ssh_port: int = 22,
        ssh_key: Path | str | None = None,
    ) -> None:
        self.suite = suite
        self.hosts = tuple(hosts)
        self.names = dict(names)
        self.state_dir = state_dir
        self.ssh_user = ssh_user
        self.ssh_port = ssh_port
        self.ssh_key = Path(ssh_key).expanduser() if ssh_key else default_ssh_key()

    def preview(self) -> list[PlanItem]:
        return [PlanItem("keep", "host", host.name, host.address) for host in self.hosts]

    def apply(self, progress: Progress) -> StackOutputs:
        """Nothing to make: whether the hosts answer is for those who connect to them to find out."""
        return self.outputs()

    def outputs(self) -> StackOutputs:
        hosts = tuple(
            HostOutput(
                name=host.name,
                address=host.address,
                private_address=host.private_address or host.address,
                groups=tuple(host.groups),
                ssh_user=self.ssh_user,
                ssh_port=self.ssh_port,
                public_address=host.address if host.public and is_address(host.address) else "",
                volumes=dict(host.volumes),
            )
            for host in self.hosts
        )
        edge = next((host for host in hosts if "edge" in host.groups), hosts[0] if hosts else None)
        public = edge.address if edge else ""
        return StackOutputs(
            driver="existing",
            suite=self.suite,
            hosts=hosts,
            private_networks=tuple(str(ip_network(host.private_address)) for host in hosts),
            public_address=public,
            ssh_private_key=self.ssh_key,
            # The operator has met these hosts before; this program must not be the one to trust them first.
            ssh_known_hosts=Path("~/.ssh/known_hosts").expanduser(),
            dns_records={fqdn: public for fqdn, host in sorted(self.names.items()) if host is not None},
            host_vars={"host_kernel_limited": False},
        )

    def destroy(self, progress: Progress, *, with_data: bool) -> list[str]:
        """Removes nothing: these hosts were there before the suite."""
        return [f"host {host.name} ({host.address}): not made by suite-deploy, left as it is" for host in self.hosts]
