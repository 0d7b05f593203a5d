# SPDX-License-Identifier: MIT
"""Resolvers and time servers."""

from collections.abc import Iterable, Iterator

from suite_deploy.policy.hosts import host_in
from suite_deploy.policy.rule import (
    UNKNOWN,
    Outcome,
    Resource,
    Subject,
    clause,
    failed,
    not_applicable,
    passed,
    resource_clause,
)


@clause("name_servers")
def name_servers(subject: Subject) -> Iterator[Outcome]:
    yield from _each(subject, "network.dns", subject.profile.refuse.dns, "resolver")


@clause("time_servers")
def time_servers(subject: Subject) -> Iterator[Outcome]:
    yield from _each(subject, "network.ntp", subject.profile.refuse.ntp, "time server")


@resource_clause(
    "subnet_resolvers",
    "openstack:networking/subnet:Subnet",
    "ovh:CloudProject/networkPrivateSubnetV2:NetworkPrivateSubnetV2",
)
def subnet_resolvers(resource: Resource, subject: Subject) -> str | None:
    servers = resource.props.get("dnsNameservers") or resource.props.get("dnsNameServers") or ()
    for server in () if servers is UNKNOWN else servers:
        if server is not UNKNOWN and host_in(str(server), subject.profile.refuse.dns):
            return f"asks {server}, a resolver outside European control."
    return None


def _each(subject: Subject, key: str, refused: Iterable[str], what: str) -> Iterator[Outcome]:
    written = subject.get(key, ())
    servers = (written,) if isinstance(written, str) else tuple(written)
    if not servers:
        yield not_applicable(key, "the hosts keep what their provider gives them")
    for index, server in enumerate(servers):
        target = key if isinstance(written, str) else f"{key}[{index}]"
        if host_in(str(server), refused):
            yield failed(target, f"{server} is a {what} outside European control.")
        else:
            yield passed(target, str(server))
