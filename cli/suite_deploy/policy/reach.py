# SPDX-License-Identifier: MIT
"""Which hosts a component may name: its own suite's, the declared ones, the profile's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .hosts import address_of, host_in, host_of, is_private
from .scan import hosts_of_text
from .subject import ComponentView, Subject

#: never leave the machine or the network, or are reserved for examples and tests
_RESERVED = ("localhost", "*.localhost", "*.local", "*.internal", "*.lan", "*.home.arpa", "*.svc", "*.invalid")


def declared_hosts(subject: Subject) -> frozenset[str]:
    """Every host that suite.yml names outside `components`: relay, name servers, directory, endpoints …"""
    found: set[str] = set()
    for key, value in subject.document.items():
        if key != "components":
            found.update(_hosts(value))
    return frozenset(found)


def allowed(host: str, component: ComponentView, subject: Subject, declared: frozenset[str]) -> bool:
    """Whether a component's rendered configuration may name `host`."""
    domain = str(subject.get("domain", "")).lower()
    if domain and (host == domain or host.endswith(f".{domain}")):
        return True
    if host in subject.public_names or host in declared or host in component.declared_hosts:
        return True
    egress = [host_of(item) or item for item in component.egress]
    if host_in(host, egress) or host_in(host, subject.profile.allow.hosts) or host_in(host, _RESERVED):
        return True
    return address_of(host) is not None and is_private(host)


def _hosts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from hosts_of_text(value)
        single = host_of(value)
        if single:
            yield single
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _hosts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _hosts(item)
