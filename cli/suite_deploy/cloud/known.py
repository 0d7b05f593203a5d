# SPDX-License-Identifier: MIT
"""The cloud's own names in an inventory (flavors, types of volumes, zones) must be among those that the cloud lists."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator

from ..errors import InvalidInput, Problem
from ..model.deployment import Deployment
from ..model.suite import Cloud, OpenStack
from .need import size_of
from .room import Room


def require_known(deployment: Deployment, room: Room) -> None:
    """Raise InvalidInput for every written name that the cloud does not have, with those it has.

    What a cloud does not list is left to it; zones of OVHcloud have a rule of their own, in its program.
    """
    if room.closed:
        return
    problems = [*_flavors(deployment, room), *_volume_type(deployment, room)]
    infrastructure = deployment.suite.infrastructure
    if isinstance(infrastructure, OpenStack):
        problems += [*_host_zones(deployment, room), *_volume_zone(deployment, infrastructure, room)]
    if problems:
        raise InvalidInput(problems)


def _flavors(deployment: Deployment, room: Room) -> Iterator[Problem]:
    if not (room.flavors or room.flavor_form):
        return
    there = ", ".join(map(str, room.sizes))
    accepted = f"There is: {there}" if there else f"A flavor is written {room.flavor_form}"
    for host in deployment.hosts:
        known = host.flavor in room.flavors if room.flavors else size_of(host.flavor or "", {}) is not None
        if host.flavor and not known:
            found = f"the cloud has no flavor {host.flavor!r}."
            yield _problem(deployment, ("hosts", host.name, "flavor"), found, accepted)


def _volume_type(deployment: Deployment, room: Room) -> Iterator[Problem]:
    written = _cloud(deployment).volumes.type
    if written and room.volume_types is not None and written not in room.volume_types:
        found = f"the cloud has no volume type {written!r} for this project."
        step = "Leave it out for the cloud's default, or choose one of these; they are case-sensitive."
        yield _problem(deployment, ("volumes", "type"), found, _there(set(room.volume_types.values())), step)


def _host_zones(deployment: Deployment, room: Room) -> Iterator[Problem]:
    if room.host_zones is None:
        return
    for name, host in _cloud(deployment).hosts.items():
        # an administrator's form is ZONE:MACHINE
        if host.zone and host.zone.partition(":")[0] not in room.host_zones:
            found = f"the cloud has no zone {host.zone!r} for hosts."
            step = "Leave it out for the cloud's default, or choose one of these; they are case-sensitive."
            yield _problem(deployment, ("hosts", name, "zone"), found, _there(room.host_zones), step)


def _volume_zone(deployment: Deployment, infrastructure: OpenStack, room: Room) -> Iterator[Problem]:
    written = infrastructure.volumes.zone
    if written and room.volume_zones is not None and written not in room.volume_zones:
        found = f"the cloud has no zone {written!r} for volumes."
        step = "Leave it out: a volume then lies in its host's zone where volumes have it, else in the cloud's default."
        yield _problem(deployment, ("volumes", "zone"), found, _there(room.volume_zones), step)


def _cloud(deployment: Deployment) -> Cloud:
    assert isinstance(deployment.suite.infrastructure, Cloud)
    return deployment.suite.infrastructure


def _there(names: Collection[str]) -> str:
    return f"There is: {', '.join(sorted(names))}."


def _problem(deployment: Deployment, path: tuple[Hashable, ...], found: str, accepted: str, step: str = "") -> Problem:
    place = deployment.place("infrastructure", *path)
    return Problem(place.file, place.line, ".".join(map(str, ("infrastructure", *path))), found, accepted, step)
