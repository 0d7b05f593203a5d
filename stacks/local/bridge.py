# SPDX-License-Identifier: MIT
"""One bridge and one private /24 per suite; nothing is forwarded from it, and the outer firewall stays untouched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from itertools import chain
from pathlib import Path

from stacks.local.system import run, write_if_changed
from suite_deploy.errors import CouldNotRun

#: Searched in this order; none overlaps the container networks (10.89.0.0/16) or what home routers usually hand out.
POOLS = (IPv4Network("10.231.0.0/16"), IPv4Network("172.29.0.0/16"), IPv4Network("192.168.128.0/17"))
INTERFACE_NAME_MAX = 15
FIRST_HOST = 10
#: Only used while the bridge is absent: packets for the suite must not leave by the default route then.
TRAP_METRIC = "9999"


@dataclass(frozen=True)
class Network:
    """What the suite was given, recorded in its state directory and kept until its data goes."""

    bridge: str
    subnet: IPv4Network
    #: host name → address
    addresses: Mapping[str, IPv4Address]

    @property
    def gateway(self) -> IPv4Address:
        return self.subnet[1]

    def to_json(self) -> str:
        hosts = {name: str(address) for name, address in self.addresses.items()}
        return json.dumps({"bridge": self.bridge, "subnet": str(self.subnet), "hosts": hosts}, indent=1) + "\n"


def bridge_name(suite: str) -> str:
    """`sd-<suite>`, shortened with a hash where an interface name cannot be that long."""
    name = f"sd-{suite}"
    if len(name) <= INTERFACE_NAME_MAX:
        return name
    return f"sd-{suite[:7]}-{hashlib.sha256(suite.encode()).hexdigest()[:4]}"


def choose_subnet(suite: str, taken: Iterable[IPv4Network]) -> IPv4Network:
    """A free /24. Starts at a place derived from the name, so that a suite tends to get the same one again."""
    occupied = list(taken)
    start = int.from_bytes(hashlib.sha256(suite.encode()).digest()[:4], "big")
    for pool in POOLS:
        candidates = list(pool.subnets(new_prefix=24))
        first = start % len(candidates)
        for candidate in chain(candidates[first:], candidates[:first]):
            if not any(candidate.overlaps(other) for other in occupied):
                return candidate
    raise CouldNotRun("no private /24 is free on this machine for the hosts: " + ", ".join(map(str, POOLS)))


def allot(recorded: Mapping[str, IPv4Address], subnet: IPv4Network, hosts: Iterable[str]) -> dict[str, IPv4Address]:
    """Addresses for `hosts`: the recorded one where there is one, the lowest free one otherwise."""
    wanted = list(hosts)
    kept = {name: address for name, address in recorded.items() if name in wanted and address in subnet}
    free = (address for address in list(subnet)[FIRST_HOST:-1] if address not in kept.values())
    try:
        return {name: kept[name] if name in kept else next(free) for name in wanted}
    except StopIteration:
        raise CouldNotRun(f"{subnet} has no address left for {len(wanted)} hosts") from None


def read(record: Path) -> Network | None:
    """The recorded network, None when there is none or the record was damaged (it is then made anew)."""
    try:
        data = json.loads(record.read_text(encoding="utf-8"))
        hosts = {name: IPv4Address(address) for name, address in data["hosts"].items()}
        return Network(data["bridge"], IPv4Network(data["subnet"]), hosts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def plan(suite: str, record: Path, hosts: Iterable[str]) -> Network:
    """The network as `apply` would have it: the recorded one with its hosts adjusted, or a new one."""
    recorded = read(record)
    name = bridge_name(suite)
    others = list(_recorded_elsewhere(record))
    if recorded is None:
        subnet = choose_subnet(suite, [*in_use(name), *others])
        return Network(name, subnet, allot({}, subnet, hosts))
    clash = next((net for net in in_use(name, recorded.subnet) if net.overlaps(recorded.subnet)), None)
    if clash:
        raise CouldNotRun(
            f"{recorded.subnet}, the network of suite {suite}, overlaps {clash}, now used otherwise on this machine.\n"
            f"Disconnect that network (a VPN?), or give the suite another one: suite-deploy destroy {suite} --with-data"
        )
    return Network(name, recorded.subnet, allot(recorded.addresses, recorded.subnet, hosts))


def in_use(own_bridge: str, own_subnet: IPv4Network | None = None) -> Iterator[IPv4Network]:
    """Every IPv4 network this machine has a route or an address for, but the suite's own."""
    routes = json.loads(run(["ip", "-j", "-4", "route", "show", "table", "all"], doing="list routes").stdout or "[]")
    for route in routes:
        own_trap = route.get("type") == "blackhole" and route["dst"] == str(own_subnet)
        if route["dst"] != "default" and route.get("dev") != own_bridge and not own_trap:
            network = IPv4Network(route["dst"], strict=False)
            if network.prefixlen:
                yield network


def ensure(network: Network, record: Path, owner: str) -> None:
    """Make the bridge, its address and the trap route; `owner` (suite and state directory) marks it as ours."""
    write_if_changed(record, network.to_json())
    links = json.loads(run(["ip", "-j", "link", "show"], doing="list interfaces").stdout)
    link = next((link for link in links if link["ifname"] == network.bridge), None)
    if link and link.get("ifalias") not in (None, owner):
        raise CouldNotRun(f"interface {network.bridge} belongs to something else on this machine: {link['ifalias']}")
    doing = f"make the bridge {network.bridge}"
    if not link:
        run(["ip", "link", "add", network.bridge, "type", "bridge"], doing=doing)
    if not link or link.get("ifalias") != owner:
        run(["ip", "link", "set", network.bridge, "alias", owner], doing=doing)
    address = f"{network.gateway}/{network.subnet.prefixlen}"
    run(["ip", "addr", "replace", address, "dev", network.bridge], doing=doing)
    # Guests cannot be routed onwards even where this machine forwards for others (Docker, libvirt).
    for key, value in (("ipv4/conf", ("forwarding", "0")), ("ipv6/conf", ("disable_ipv6", "1"))):
        setting = Path("/proc/sys/net", key, network.bridge, value[0])
        if setting.exists() and setting.read_text(encoding="ascii").strip() != value[1]:
            setting.write_text(value[1], encoding="ascii")
    run(["ip", "link", "set", network.bridge, "up"], doing=doing)
    trap = ["ip", "route", "replace", "blackhole", str(network.subnet), "metric", TRAP_METRIC]
    run(trap, doing=f"keep packets for {network.subnet} on this machine")


def remove(network: Network, owner: str) -> None:
    """Take the bridge and the trap route away; what is not there or not ours is left alone."""
    shown = run(["ip", "-j", "link", "show", "dev", network.bridge], doing="look at the bridge", fails=False)
    if shown.returncode == 0 and json.loads(shown.stdout)[0].get("ifalias") in (None, owner):
        run(["ip", "link", "delete", network.bridge], doing=f"remove the bridge {network.bridge}")
    trap = ["ip", "route", "delete", "blackhole", str(network.subnet), "metric", TRAP_METRIC]
    run(trap, doing="remove the trap route", fails=False)


def exists(network: Network) -> bool:
    return Path("/sys/class/net", network.bridge).exists()


def _recorded_elsewhere(record: Path) -> Iterator[IPv4Network]:
    """Networks of other suites whose state lies beside this one's: theirs even while they are down."""
    for other in record.parent.parent.glob(f"*/{record.name}"):
        network = read(other) if other != record else None
        if network:
            yield network.subnet
