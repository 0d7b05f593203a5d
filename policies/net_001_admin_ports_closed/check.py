# SPDX-License-Identifier: MIT
"""Administration ports and who reaches them."""

from collections.abc import Iterable, Iterator
from typing import Any

from suite_deploy.policy.rule import (
    Outcome,
    Resource,
    Subject,
    clause,
    failed,
    not_applicable,
    passed,
    resource_clause,
)

KEY = "ssh.from"
EVERYONE = frozenset(("0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1", "any"))
#: SSH, remote desktops, databases, caches, container and cluster interfaces, management consoles
ADMIN_PORTS = (22, 111, 2375, 2376, 2379, 3306, 3389, 5432, 5900, 6379, 6443, 8006, 9000, 9090, 10250, 11211, 27017)


@clause("ssh_sources")
def ssh_sources(subject: Subject) -> Iterator[Outcome]:
    if subject.is_local:
        yield not_applicable(KEY, "hosts on this machine have no way in from outside")
        return
    sources = subject.get(KEY, ())
    wide = [source for source in sources if source in EVERYONE]
    if not sources:
        yield failed(KEY, "is not written, so SSH would answer everyone.")
    elif wide:
        yield failed(KEY, f"{', '.join(wide)} is everyone.")
    else:
        yield passed(KEY, ", ".join(sources))


@clause("component_ports")
def component_ports(subject: Subject) -> Iterator[Outcome]:
    said = False
    for component in subject.components:
        for port in component.public_ports:
            low, high = _range(port.partition("/")[2])
            hit = [number for number in ADMIN_PORTS if low <= number <= high]
            if hit:
                said = True
                yield failed(
                    f"components.{component.slug}",
                    f"opens {port} to everyone, with administration port {hit[0]} in it.",
                )
    if not said:
        yield passed("components", "no component opens an administration port to everyone")


@resource_clause(
    "security_group", "openstack:networking/secGroupRule:SecGroupRule", "pulumi-python:dynamic/outscale:SecurityGroup"
)
def security_group(resource: Resource, subject: Subject) -> str | None:
    rules = resource.props.get("inboundRules") if "inboundRules" in resource.props else (resource.props,)
    for rule in rules if isinstance(rules, Iterable) else ():
        problem = _open(rule)
        if problem:
            return problem
    return None


def _open(rule: Any) -> str | None:
    if not isinstance(rule, dict) or rule.get("direction", "ingress") != "ingress":
        return None
    if rule.get("remoteGroupId"):
        return None
    source = rule.get("remoteIpPrefix") or rule.get("ipRange")
    if isinstance(source, str) and source and source not in EVERYONE:
        return None
    if str(rule.get("protocol", "")).lower() in ("icmp", "ipv6-icmp", "1"):
        return None
    low = _number(rule.get("portRangeMin") or rule.get("fromPortRange"), 0)
    high = _number(rule.get("portRangeMax") or rule.get("toPortRange"), 65535)
    hit = [port for port in ADMIN_PORTS if low <= port <= high]
    if not hit:
        return None
    return f"lets everyone reach port {hit[0]} (range {low} to {high})."


def _number(value: Any, otherwise: int) -> int:
    """Integers arrive as floats, unknown ones not at all."""
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0 else otherwise


def _range(text: str) -> tuple[int, int]:
    low, _, high = text.partition("-")
    return int(low), int(high or low)
