# SPDX-License-Identifier: MIT
"""Who may reach which host: the hosts' own packet filter rules, said once more in terms a cloud understands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from suite_deploy.model.deployment import Deployment, HostPlan
from suite_deploy.render.hostvars import ANY, host_vars
from suite_deploy.render.tree import RenderedTree
from suite_deploy.render.vocabulary import Addresses

EVERYONE = "0.0.0.0/0"


@dataclass(frozen=True, order=True)
class Inbound:
    """Packets that may reach a host: from `network` (CIDR) or from `host` (of the suite), exactly one of the two."""

    proto: str
    first: int
    last: int
    network: str = ""
    host: str = ""

    @property
    def ports(self) -> str:
        """`443` or `30000-30099`."""
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    @property
    def source(self) -> str:
        """A word for who: `everyone`, the host's name, or the network with `-` for what names may not hold."""
        if self.host:
            return self.host
        return "everyone" if self.network == EVERYONE else self.network.replace("/", "-")


def inbound_rules(deployment: Deployment) -> Mapping[str, tuple[Inbound, ...]]:
    """Host → everything that may reach it, sorted; never wider than what the host's own packet filter lets in.

    Containers on the same host are left out: their packets never leave it. Hosts without a public address are reached
    by SSH from the edge host only.
    """
    addresses = Addresses.unknown(deployment)
    nothing_rendered = RenderedTree((), ())
    found = {}
    for host in deployment.hosts:
        variables = host_vars(deployment, nothing_rendered, host, addresses)
        rules = set(_ssh(deployment, host))
        for rule in variables["host_firewall_input"]:
            rules.update(_translated(rule, rule["ports"], deployment, host, addresses))
        for rule in variables["host_firewall_published"]:
            rules.update(_translated(rule, rule["destination_ports"], deployment, host, addresses))
        found[host.name] = tuple(sorted(rules))
    return found


def _ssh(deployment: Deployment, host: HostPlan) -> Iterator[Inbound]:
    ssh, edge = deployment.suite.ssh, deployment.host_of("edge").name
    if host.public or host.name == edge:
        for network in ssh.from_ or (EVERYONE,):
            yield Inbound("tcp", ssh.port, ssh.port, network=network)
    else:
        yield Inbound("tcp", ssh.port, ssh.port, host=edge)


def _translated(
    rule: Mapping[str, Any], ports: Iterable[object], deployment: Deployment, host: HostPlan, addresses: Addresses
) -> Iterator[Inbound]:
    """One rule of the packet filter as rules of one port range and one source each."""
    names = {f"{address}/32": name for name, address in addresses.private.items()}
    sources = [ANY] if rule["sources"] == ANY else list(rule["sources"])
    for port in ports:
        first, _, last = str(port).partition("-")
        for source in sources:
            where = {"host": names[source]} if source in names else {"network": EVERYONE if source == ANY else source}
            if where.get("host") == host.name or _of_containers(where.get("network"), deployment):
                continue
            yield Inbound(str(rule["proto"]), int(first), int(last or first), **where)


def _of_containers(network: str | None, deployment: Deployment) -> bool:
    return bool(network) and IPv4Network(network).subnet_of(deployment.container_network)
