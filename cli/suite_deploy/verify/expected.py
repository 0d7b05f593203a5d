# SPDX-License-Identifier: MIT
"""What must be on each host, from the Deployment: units, sockets, closed ports. Knows kinds, no component's name."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from ..model.deployment import POSTGRESQL_PORT, Component, Deployment
from ..model.outputs import HostOutput, StackOutputs
from .parsers import Socket

#: where a socket may listen: on every address, on a private one, on loopback, on a container network's gateway
Where = Literal["any", "private", "loopback", "containers"]

EDGE_UNIT = "nginx.service"
POSTGRESQL_UNIT = "postgresql@17-main.service"
VALKEY_UNIT = "valkey-server@{}.service"


@dataclass(frozen=True)
class Endpoint:
    """A socket a host may have. ports: first and last. required: its absence is a failure too.

    every_address: it listens on all of them and the firewall keeps `where` true.
    """

    proto: str
    ports: tuple[int, int]
    where: Where
    purpose: str
    required: bool = True
    every_address: bool = False

    def __str__(self) -> str:
        first, last = self.ports
        span = str(first) if first == last else f"{first}-{last}"
        return f"{self.proto} {span} on {self.where} ({self.purpose})"


@dataclass(frozen=True)
class Networks:
    """What `private` and `containers` mean for the sockets of one host."""

    private: tuple[ipaddress.IPv4Network, ...]
    containers: ipaddress.IPv4Network

    @classmethod
    def of(cls, deployment: Deployment, outputs: StackOutputs) -> Networks:
        return cls(
            tuple(ipaddress.IPv4Network(network) for network in outputs.private_networks), deployment.container_network
        )

    def allows(self, where: Where, socket: Socket) -> bool:
        """Whether the socket listens no wider than `where`."""
        address = ipaddress.ip_address(socket.address)
        if where == "any" or socket.loopback:
            return True
        if where == "containers":
            return address in self.containers
        if where == "private":
            return any(address in network for network in self.private) or address in self.containers
        return False


def here(deployment: Deployment, host: HostOutput) -> tuple[Component, ...]:
    """The components that run on a host."""
    return tuple(component for component in deployment.ordered if component.host == host.name)


def web_names(deployment: Deployment) -> tuple[str, ...]:
    """The public names that speak HTTP: on the others edge ends TLS and passes on what is inside."""
    bare = {
        component.hostnames[listen.sni]
        for component in deployment.ordered
        for service in component.description.services.values()
        for listen in service.listen
        if listen.sni
    }
    return tuple(name for name in deployment.public_names if name not in bare)


def units_of(component: Component) -> tuple[str, ...]:
    """The units of a component's services."""
    return tuple(f"{component.slug}-{service}.service" for service in component.description.services)


def units(deployment: Deployment, host: HostOutput) -> tuple[str, ...]:
    """Every unit that must run on a host."""
    found = [unit for component in here(deployment, host) for unit in units_of(component)]
    if "edge" in host.groups:
        found.append(EDGE_UNIT)
    if "data" in host.groups:
        needs = [(component, component.description.needs) for component in deployment.ordered]
        found += [POSTGRESQL_UNIT] if any(need.postgresql for _, need in needs) else []
        found += [VALKEY_UNIT.format(component.slug) for component, need in needs if need.valkey]
    return tuple(found)


def endpoints(deployment: Deployment, host: HostOutput) -> tuple[Endpoint, ...]:
    """Every socket a host may have."""
    return tuple(_endpoints(deployment, host))


def _endpoints(deployment: Deployment, host: HostOutput) -> Iterator[Endpoint]:
    yield Endpoint("tcp", (host.ssh_port, host.ssh_port), "any", "SSH")
    if "edge" in host.groups:
        yield Endpoint("tcp", (443, 443), "any", "web")
        yield Endpoint("tcp", (80, 80), "any", "redirect to web")
    if "data" in host.groups:
        for component in deployment.ordered:
            if component.description.needs.valkey:
                port = component.valkey_port
                yield Endpoint("tcp", (port, port), "private", f"cache of {component.slug}")
        if any(component.description.needs.postgresql for component in deployment.ordered):
            yield Endpoint("tcp", (POSTGRESQL_PORT, POSTGRESQL_PORT), "private", "database")
    edge = deployment.host_of("edge").name
    for component in here(deployment, host):
        where: Where = "loopback" if component.host == edge else "private"
        for service, port in published(component):
            yield Endpoint("tcp", (port, port), where, f"{component.slug} {service}")
        for service, item in component.description.services.items():
            name = f"{component.slug} {service}"
            if item.network == "host" and item.port:
                yield Endpoint("tcp", (item.port, item.port), "private", name)
            for listen in item.listen:
                yield Endpoint(
                    listen.proto,
                    _span(listen.ports),
                    "any" if listen.public else "private",
                    name,
                    required=not listen.on_demand,
                    every_address=listen.every_address,
                )
    if here(deployment, host):
        for proto in ("tcp", "udp"):
            yield Endpoint(proto, (53, 53), "containers", "names for containers", required=False)
    # name resolution and time, for the host's own programs
    for proto in ("tcp", "udp"):
        yield Endpoint(proto, (53, 53), "loopback", "names", required=False)
    yield Endpoint("udp", (323, 323), "loopback", "time", required=False)


def published(component: Component) -> Iterator[tuple[str, int]]:
    """(service, port on the host) of everything a component publishes on loopback."""
    for service, item in component.description.services.items():
        if item.network == "own":
            for port in sorted({port for port in (item.port, item.probe.port if item.probe else None) if port}):
                yield service, component.loopback_port(service, port)


def closed_ports(deployment: Deployment, host: HostOutput) -> dict[int, str]:
    """TCP ports of a host that nobody outside may reach, with what would answer there.

    Both the port inside the container and the one on the host: whichever a mistake would open.
    """
    found: dict[int, str] = {}
    for component in here(deployment, host):
        for service, item in component.description.services.items():
            for port in (item.port, item.probe.port if item.probe else None):
                if port:
                    found[port] = f"{component.slug} {service}"
            for listen in item.listen:
                if listen.proto == "tcp" and not listen.public:
                    found[_span(listen.ports)[0]] = f"{component.slug} {service}"
        found |= {port: f"{component.slug} {service}" for service, port in published(component)}
    if "data" in host.groups:
        found[POSTGRESQL_PORT] = "database"
        for component in deployment.ordered:
            if component.description.needs.valkey:
                found[component.valkey_port] = f"cache of {component.slug}"
    open_ports = {
        port
        for endpoint in endpoints(deployment, host)
        if endpoint.where == "any" and endpoint.proto == "tcp"
        for port in range(endpoint.ports[0], endpoint.ports[1] + 1)
    }
    return {port: what for port, what in found.items() if port not in open_ports}


def undeclared(sockets: Iterable[Socket], declared: Iterable[Endpoint], networks: Networks) -> list[str]:
    """Sockets that no endpoint covers, and those that listen wider than theirs."""
    found = []
    for socket in sockets:
        covering = [item for item in declared if item.proto == socket.proto and _spans(item, socket.port)]
        if any(item.every_address or networks.allows(item.where, socket) for item in covering):
            continue
        wider = f", where only {covering[0]} may be" if covering else ""
        found.append(f"{socket}{wider}")
    return found


def silent(sockets: Iterable[Socket], declared: Iterable[Endpoint]) -> list[str]:
    """Required endpoints that no socket serves. A range is served when any port of it is."""
    listening = list(sockets)
    return [
        str(item)
        for item in declared
        if item.required and not any(item.proto == socket.proto and _spans(item, socket.port) for socket in listening)
    ]


def _span(ports: str) -> tuple[int, int]:
    """First and last of a port or a range."""
    first, _, last = ports.partition("-")
    return int(first), int(last or first)


def _spans(endpoint: Endpoint, port: int) -> bool:
    return endpoint.ports[0] <= port <= endpoint.ports[1]
