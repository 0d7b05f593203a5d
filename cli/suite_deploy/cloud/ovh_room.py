# SPDX-License-Identifier: MIT
"""What OVHcloud's public cloud has: OpenStack's interfaces, and its own for regions, vRack and gateways."""

from __future__ import annotations

import time
from dataclasses import replace

from ..errors import CouldNotRun
from ..model.outputs import Progress
from ..model.suite import Ovh
from . import openstack_room
from .credentials import Credentials
from .openstack_room import limit, listed_regions
from .ovhapi import Interface
from .room import REGION, Room, WrongSetting

#: seconds that a region gets to open, and between two looks at it
PATIENCE, PAUSE = 600.0, 10.0
_JUST_OPENED = "The project has opened it, so OpenStack will list it soon: run the same command again in a few minutes."


def own_interface(infrastructure: Ovh, credentials: Credentials) -> Interface:
    """OVHcloud's own interface, besides OpenStack's."""
    return Interface(infrastructure.endpoint, infrastructure.project, credentials.variables)


def is_open(own: Interface, region: str) -> bool:
    """Whether a region is open for the project. Raises CouldNotRun for one that it cannot open either."""
    opened = own.regions()
    if region in opened:
        return True
    closed = own.closed_regions()
    if region not in closed:
        raise WrongSetting(
            "region",
            f"OVHcloud has no region {region!r} for this project.\n"
            f"  Open: {', '.join(sorted(opened)) or 'none'}. It may open: {', '.join(sorted(closed)) or 'none'}.\n"
            f"  {REGION}",
        )
    return False


def vrack_of(own: Interface) -> str:
    """The vRack that the project's private network is made on. Raises CouldNotRun when it is attached to none."""
    found = own.vrack()
    if found is None:
        raise CouldNotRun(
            "infrastructure.project: the project is attached to no vRack, and its private network would be on one.\n"
            "  Nothing was created. OVHcloud's console makes a vRack, free of charge, and attaches the project to it."
        )
    return found


def ask(infrastructure: Ovh, credentials: Credentials) -> Room:
    """Flavors and quota, of OpenStack's interfaces and of OVHcloud's own. Raises CouldNotRun."""
    own, region = own_interface(infrastructure, credentials), infrastructure.region
    opened = is_open(own, region)
    vrack_of(own)
    if not opened:
        listed_regions(infrastructure, credentials)
        return Room(silent=(f"flavors and quota: the project has yet to open the region {region}",), closed=True)
    found = openstack_room.ask(infrastructure, credentials, _JUST_OPENED)
    try:
        gateways = own.gateways(region)
    except CouldNotRun as error:
        return replace(found, silent=(*found.silent, f"quota of gateways: {' '.join(str(error).split())}"))
    if gateways is None:
        return replace(found, silent=(*found.silent, "quota of gateways"))
    return replace(found, left={**found.left, "gateways": limit(*gateways)})


def wait_until_open(infrastructure: Ovh, credentials: Credentials, progress: Progress) -> None:
    """Wait until a region that was just opened works and OpenStack lists it. Raises CouldNotRun after PATIENCE."""
    own, region, end = own_interface(infrastructure, credentials), infrastructure.region, time.monotonic() + PATIENCE
    while not (own.is_up(region) and region in listed_regions(infrastructure, credentials)):
        if time.monotonic() + PAUSE > end:
            raise CouldNotRun(
                f"the region {region} was opened, and does not work yet after {PATIENCE / 60:.0f} minutes.\n"
                "  Nothing else was made. Run the same command again later: it goes on from there."
            )
        progress(f"waiting for the region {region}")
        time.sleep(PAUSE)
