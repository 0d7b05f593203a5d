# SPDX-License-Identifier: MIT
"""Who may reach which host, and which ports hosts may call: what the roles are told, in terms a cloud understands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from suite_deploy.model.deployment import Deployment, HostPlan
from suite_deploy.render.hostvars import ANY, host_vars
from suite_deploy.render.tree import RenderedTree
from suite_deploy.render.vocabulary import Addresses

EVERYONE = "0.0.0.0/0"
#: what every host calls by name: packages and images, name servers, time servers
_ALWAYS = (("tcp", 53), ("udp", 53), ("tcp", 80), ("udp", 123), ("tcp", 443))
#: keys of the inventory whose URLs hosts call; the cloud's own interface is the operator's to call
_CALLED_BY_HOSTS = {"apt", "backup", "identity", "images", "mail", "monitoring", "network", "tls"}
#: a port written in a URL, or after the host of a registry
_WRITTEN_PORT = re.compile(r"^(?:[a-z]+://)?[A-Za-z0-9.-]+:(\d{1,5})(?:/\S*)?$")


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


@dataclass(frozen=True, order=True)
class Outbound:
    """Ports of other machines, anywhere, that a host may call."""

    proto: str
    first: int
    last: int

    @property
    def ports(self) -> str:
        """`443` or `1024-65535`."""
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def outbound_rules(deployment: Deployment) -> Mapping[str, tuple[Outbound, ...]]:
    """Host → what it may call outside the private network, sorted.

    By port only: a cloud's groups know no names. Which names, and for whom, edge and the hosts' packet filter decide.
    """
    addresses, nothing_rendered = Addresses.unknown(deployment), RenderedTree((), ())
    suite = deployment.suite.model_dump(mode="json", by_alias=True, include=_CALLED_BY_HOSTS)
    store = deployment.object_store.endpoint if deployment.object_store else ""
    written = [("tcp", port) for port in _written_ports([suite, store])]
    found = {}
    for host in deployment.hosts:
        variables = host_vars(deployment, nothing_rendered, host, addresses)
        ways = [*variables.get("edge_passthrough", ()), *variables.get("edge_relays", ())]
        called = [("tcp", int(way["upstream"].rpartition(":")[2])) for way in ways]
        rules = {Outbound(proto, port, port) for proto, port in (*_ALWAYS, *written, *called)}
        # whoever takes part in a call is sent media at a port of their own choosing
        if any(rule["udp_source_ports"] for rule in variables.get("host_firewall_output", ())):
            rules.add(Outbound("udp", 1024, 65535))
        found[host.name] = tuple(sorted(rules))
    return found


def _written_ports(value: object) -> Iterator[int]:
    """Ports in the inventory's URLs and registries, and mail's."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key == "port" and "relay" in value:
                yield int(item)
            yield from _written_ports(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _written_ports(item)
    elif isinstance(value, str) and (match := _WRITTEN_PORT.match(value)):
        yield int(match.group(1))


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
