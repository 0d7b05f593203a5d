# SPDX-License-Identifier: MIT
"""Asks a cloud for what it has to choose from and for what is left of the quota. Reads only."""

from __future__ import annotations

from ..model.deployment import Deployment
from ..model.suite import Cloud, Outscale, Ovh
from . import openstack_room, outscale_room, ovh_room
from .credentials import Credentials
from .room import Room, placed


def ask(deployment: Deployment, credentials: Credentials) -> Room:
    """What the cloud has and what is left. Raises CouldNotRun for credentials refused, a region unknown, no answer."""
    infrastructure = deployment.suite.infrastructure
    assert isinstance(infrastructure, Cloud)
    with placed(deployment):
        if isinstance(infrastructure, Outscale):
            return outscale_room.ask(infrastructure, credentials)
        if isinstance(infrastructure, Ovh):
            return ovh_room.ask(infrastructure, credentials)
        return openstack_room.ask(infrastructure, credentials)
