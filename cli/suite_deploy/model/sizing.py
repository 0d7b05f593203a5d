# SPDX-License-Identifier: MIT
"""Hosts, sizes and volumes for a number of users, where an inventory on a cloud names none.

Sums what the enabled components say of themselves (`sizing`) and adds what hosts and shared services take. A starting
point to measure against, not a promise: whoever knows better writes `infrastructure.hosts`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from .component import ComponentFile
from .deployment import Deployment, HostPlan
from .needs import Described, parameters_of_needs
from .statefiles import FLAVORS
from .suite import Cloud, Outscale, SuiteFile
from .values import Group

#: up to how many users everything shares one host; edge has one of its own beyond the second
ONE_HOST, EDGE_ALONE = 100, 1000
#: vCPU and MiB that the system takes on each host
_SYSTEM = (0.5, 1024.0)
#: vCPU and MiB of what no component describes: proxy and database, at first and for each hundred users
_SHARED: dict[Group, tuple[tuple[float, float], tuple[float, float]]] = {
    "edge": ((0.25, 256.0), (0.1, 32.0)),
    "data": ((0.5, 1024.0), (0.5, 512.0)),
}
#: sizes that clouds sell: vCPU and GiB of memory are rounded up to one of these
_VCPUS = (2, 4, 8, 16, 32, 64, 128)
_MEMORY_GIB = (4, 8, 16, 32, 64, 128, 256, 512)
#: processors are shared: not everybody is at their busiest at once. Memory is not.
_SHARING = 1.25
#: what one host for applications holds before there is another one; a single component may need a larger one
_APPS_VCPUS, _APPS_MIB = 16.0, 64 * 1024.0
#: GiB of the smallest volume made
_SMALLEST = 10


@dataclass(frozen=True)
class Demand:
    """What a component asks for. disk_gib: of its own data; database: whether it keeps data in the shared one."""

    slug: str
    title: str
    group: Group
    vcpus: float
    memory_mib: float
    disk_gib: float
    database: bool
    own_volume: bool


@dataclass(frozen=True)
class Sized:
    """The derived hosts. placement: component → host, where it is not the first of its group. reasons: for a person."""

    hosts: tuple[HostPlan, ...]
    placement: Mapping[str, str] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()


def demand(slug: str, described: ComponentFile, users: int, copies: int = 1) -> Demand:
    """What a component asks for with so many users. copies: how many of it run side by side."""
    base, more, hundreds = described.sizing.base, described.sizing.per_100_users, users / 100

    def total(key: Literal["cpu", "memory_mib", "disk_gib"]) -> float:
        return copies * (base.get(key, 0.0) + more.get(key, 0.0) * hundreds)

    return Demand(
        slug=slug,
        title=described.title,
        group=described.placement,
        vcpus=total("cpu"),
        memory_mib=total("memory_mib"),
        disk_gib=total("disk_gib"),
        database=described.needs.postgresql is not None,
        own_volume=bool(described.volumes),
    )


def size_hosts(suite: SuiteFile, described: Described, state: Path) -> Sized | None:
    """Hosts for a suite on a cloud whose inventory names none; None where hosts are written or are this machine's.

    state: the state directory, which remembers the flavors that were chosen from the cloud's own list.
    """
    if not isinstance(suite.infrastructure, Cloud) or suite.infrastructure.hosts:
        return None
    needs = parameters_of_needs(described)
    demands = []
    for slug, (item, _) in described.items():
        copies = sum(instance.need in needs for instance in item.instances.values()) if item.instances else 1
        demands.append(demand(slug, item, suite.users, copies))
    sized = derive(suite.users, demands)
    if isinstance(suite.infrastructure, Outscale):
        hosts = tuple(replace(host, flavor=outscale_flavor(host)) for host in sized.hosts)
    else:
        chosen = read_flavors(state)
        hosts = tuple(replace(host, flavor=chosen.get(size_key(host))) for host in sized.hosts)
    return replace(sized, hosts=hosts)


def reasons(deployment: Deployment) -> tuple[str, ...]:
    """Why the derived hosts are what they are; empty where they were written."""
    if not any(host.vcpus for host in deployment.hosts):
        return ()
    users = deployment.suite.users
    return derive(
        users, [demand(item.slug, item.description, users) for item in deployment.components.values()]
    ).reasons


def size_key(host: HostPlan) -> str:
    """What a chosen flavor is remembered by: hosts of one size get the same."""
    return f"{host.vcpus} vCPU, {host.memory_mib} MiB"


def read_flavors(state: Path) -> dict[str, str]:
    """Size → flavor, as chosen from the cloud's list before; empty when none was."""
    try:
        return {
            str(size): str(name) for size, name in json.loads((state / FLAVORS).read_text(encoding="utf-8")).items()
        }
    except (OSError, ValueError, AttributeError):
        return {}


def with_flavors(deployment: Deployment, chosen: Mapping[str, str]) -> Deployment:
    """The deployment with flavors for derived hosts that have none yet. chosen: size → flavor."""
    hosts = (replace(host, flavor=host.flavor or chosen.get(size_key(host))) for host in deployment.hosts)
    return replace(deployment, hosts=tuple(hosts))


def derive(users: int, demands: Iterable[Demand]) -> Sized:
    """Hosts for so many users: one up to 100, then data and media apart, edge too beyond 1,000."""
    wanted = sorted(demands, key=lambda item: (-item.vcpus, item.slug))
    plans: list[tuple[str, tuple[Group, ...], list[Demand]]] = []
    if users <= ONE_HOST:
        plans.append(("suite-1", ("edge", "apps", "data", "media"), wanted))
    else:
        by_group = {group: [item for item in wanted if item.group == group] for group in ("edge", "data", "media")}
        bins = _spread([item for item in wanted if item.group == "apps"])
        if users > EDGE_ALONE:
            plans.append(("edge-1", ("edge",), by_group["edge"]))
            plans += [(f"app-{number}", ("apps",), items) for number, items in enumerate(bins, 1)]
        else:
            plans.append(("app-1", ("edge", "apps"), [*by_group["edge"], *bins[0]]))
            plans += [(f"app-{number}", ("apps",), items) for number, items in enumerate(bins[1:], 2)]
        plans.append(("data-1", ("data",), by_group["data"]))
        if by_group["media"]:
            plans.append(("media-1", ("media",), by_group["media"]))
    database = [item for item in wanted if item.database]
    hosts = tuple(_host(name, groups, items, users, database) for name, groups, items in plans)
    first = next(name for name, groups, _ in plans if "apps" in groups)
    placement = {
        item.slug: name for name, groups, items in plans for item in items if item.group == "apps" and name != first
    }
    reasons = [f"derived for {users} users; write `infrastructure.hosts` to decide yourself"]
    reasons += [_reason(host, items) for host, (_, _, items) in zip(hosts, plans, strict=True)]
    return Sized(hosts, placement, tuple(reasons))


def _spread(apps: list[Demand]) -> list[list[Demand]]:
    """Applications onto as few hosts as hold them, the hungriest first."""
    bins: list[list[Demand]] = [[]]
    for item in apps:
        fits = (
            each
            for each in bins
            if not each
            or (
                sum(other.vcpus for other in each) + item.vcpus <= _APPS_VCPUS
                and sum(other.memory_mib for other in each) + item.memory_mib <= _APPS_MIB
            )
        )
        found = next(fits, None)
        if found is None:
            bins.append([item])
        else:
            found.append(item)
    return bins


def _host(name: str, groups: tuple[Group, ...], items: list[Demand], users: int, database: list[Demand]) -> HostPlan:
    vcpus, memory = _SYSTEM
    for group in groups:
        base, more = _SHARED.get(group, ((0.0, 0.0), (0.0, 0.0)))
        vcpus += base[0] + more[0] * users / 100
        memory += base[1] + more[1] * users / 100
    vcpus += sum(item.vcpus for item in items)
    memory += sum(item.memory_mib for item in items)
    volumes = {item.slug: _gib(item.disk_gib) for item in items if item.own_volume}
    if "data" in groups:
        volumes["postgresql"] = _gib(sum(item.disk_gib for item in database))
    return HostPlan(
        name,
        groups,
        volumes=dict(sorted(volumes.items())),
        public="edge" in groups or "media" in groups,
        vcpus=_rung(vcpus / _SHARING, _VCPUS),
        memory_mib=_rung(memory / 1024, _MEMORY_GIB) * 1024,
    )


def _rung(wanted: float, ladder: tuple[int, ...]) -> int:
    return next((rung for rung in ladder if rung >= wanted), ladder[-1])


def _gib(wanted: float) -> str:
    """Rounded up to tens, so that a few more users change no volume."""
    return f"{max(_SMALLEST, math.ceil(wanted / 10) * 10)}GiB"


def _reason(host: HostPlan, items: list[Demand]) -> str:
    for_whom = ", ".join(f"{item.title} {item.vcpus:.1f} vCPU {item.memory_mib / 1024:.1f} GiB" for item in items)
    shared = [name for group, name in (("edge", "proxy"), ("data", "database")) if group in host.groups]
    parts = [for_whom, *shared, "system"] if for_whom else [*shared, "system"]
    return f"{host.name}: {host.vcpus} vCPU, {host.memory_mib // 1024} GiB for {', '.join(parts)}"


def outscale_flavor(host: HostPlan) -> str:
    """The flavor of a size at Outscale, whose names say what they are. Generation 6, performance 2 (high)."""
    return f"tinav6.c{host.vcpus}r{host.memory_mib // 1024}p2"
