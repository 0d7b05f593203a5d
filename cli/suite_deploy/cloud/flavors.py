# SPDX-License-Identifier: MIT
"""Flavors of a deployment's hosts: those that are written must exist, the others are chosen from the cloud's list."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ..errors import InvalidInput, Problem
from ..model.deployment import Deployment
from ..model.sizing import read_flavors, size_key
from .need import size_of, smallest
from .room import Room


def choose(deployment: Deployment, room: Room) -> dict[str, str]:
    """For derived hosts, size → the smallest flavor of the cloud's list that holds it.

    Empty when every host has its flavor, or the region has yet to be opened and nobody knows its list.
    Raises CouldNotRun when the cloud has none that large.
    """
    if room.closed:
        return {}
    unsized = [host for host in deployment.hosts if host.vcpus and not host.flavor]
    return {size_key(host): smallest(host, room.flavors.values()).name for host in unsized}


def remembered(state: Path, chosen: Mapping[str, str]) -> str:
    """Content of the state's record of flavors with what was chosen now, for later runs to choose the same."""
    return json.dumps(read_flavors(state) | dict(chosen), indent=1, sort_keys=True) + "\n"


def require_known(deployment: Deployment, room: Room) -> None:
    """Raise InvalidInput for every written flavor that the cloud does not have, with those it has."""
    if room.closed or not (room.flavors or room.flavor_form):
        return
    there = ", ".join(map(str, room.sizes))
    accepted = f"There is: {there}" if there else f"A flavor is written {room.flavor_form}"
    problems = []
    for host in deployment.hosts:
        known = host.flavor in room.flavors if room.flavors else size_of(host.flavor or "", {}) is not None
        if host.flavor and not known:
            place = deployment.place("infrastructure", "hosts", host.name, "flavor")
            key, found = f"infrastructure.hosts.{host.name}.flavor", f"the cloud has no flavor {host.flavor!r}."
            problems.append(Problem(place.file, place.line, key, found, accepted))
    if problems:
        raise InvalidInput(problems)
