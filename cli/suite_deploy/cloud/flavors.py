# SPDX-License-Identifier: MIT
"""Flavors of hosts whose inventory names none: chosen from the cloud's list, and remembered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ..model.deployment import Deployment
from ..model.sizing import read_flavors, size_key
from .need import smallest
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
