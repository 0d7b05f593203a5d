# SPDX-License-Identifier: MIT
"""Things on an OpenStack cloud that carry a name this suite is about to give, and that its state does not know of.

OpenStack takes a name twice without a word. Where the answer to a creation was lost, or the state itself, `up` would
make a second host beside the first and a new, empty volume beside the one with the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..errors import CouldNotRun
from ..model.suite import Cloud, Outscale
from .credentials import Credentials
from .openstack_room import connect, explained
from .plan import Step

#: type → what the project has of it. Buckets are left out: one that is there is taken as it is, with what it holds.
_LISTS: Mapping[str, Callable[[Any], Iterable[Any]]] = {
    "openstack:compute/instance:Instance": lambda cloud: cloud.compute.servers(details=False),
    "openstack:compute/serverGroup:ServerGroup": lambda cloud: cloud.compute.server_groups(),
    "openstack:blockstorage/volume:Volume": lambda cloud: cloud.block_storage.volumes(details=False),
    "openstack:networking/network:Network": lambda cloud: cloud.network.networks(),
    "openstack:networking/subnet:Subnet": lambda cloud: cloud.network.subnets(),
    "openstack:networking/router:Router": lambda cloud: cloud.network.routers(),
    "openstack:networking/port:Port": lambda cloud: cloud.network.ports(),
    "openstack:networking/secGroup:SecGroup": lambda cloud: cloud.network.security_groups(),
}


def find_strays(steps: Sequence[Step], infrastructure: Cloud, credentials: Credentials) -> list[str]:
    """What the cloud already has of what a plan would create, each by kind, name and id.

    Asks nothing where nothing is created, and at Outscale, whose providers look for themselves. Raises CouldNotRun when
    the cloud does not answer.
    """
    wanted = {(step.type, step.inputs.get("name")): step for step in steps if step.action == "create"}
    types = sorted({type for type, name in wanted if name and type in _LISTS})
    if not types or isinstance(infrastructure, Outscale):
        return []
    found = []
    with explained(infrastructure, "the cloud could not be asked for what it has"):
        cloud = connect(infrastructure, credentials)
        project = cloud.current_project_id
        for type in types:
            for item in _LISTS[type](cloud):
                step = wanted.get((type, item.name))
                # an administrator sees everybody's
                if step and getattr(item, "project_id", None) in (None, project):
                    found.append(f"{step.kind} {item.name} ({item.id})")
    return sorted(found)


def said(found: Sequence[str]) -> str:
    """What such things mean and what to do about them."""
    lines = [
        "the cloud already has what this suite would make, and its state does not know it:",
        *found,
        "If an earlier run lost the cloud's answer: remove it there, then run the same command again.",
        "If the suite was made from another machine, or its state is gone: bring that state here first.",
        "A volume may hold data: docs/operator/clouds.md",
    ]
    return "\n  ".join(lines)


def refuse_strays(steps: Sequence[Step], infrastructure: Cloud, credentials: Credentials) -> None:
    """Raise CouldNotRun when the cloud already has what a plan would create."""
    found = find_strays(steps, infrastructure, credentials)
    if found:
        raise CouldNotRun(f"nothing was created: {said(found)}")
