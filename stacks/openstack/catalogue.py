# SPDX-License-Identifier: MIT
"""What a cloud has, as one readable line: for errors about names it does not know."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from suite_deploy.cloud.credentials import find_driver_credentials
from suite_deploy.cloud.openstack_room import connect
from suite_deploy.model.deployment import Deployment
from suite_deploy.model.suite import Cloud

#: names of one kind shown at most; a cloud may have hundreds of images
SHOWN = 30


def names(what: str, deployment: Deployment) -> str:
    """What there is of a kind, a key of `_LISTS`, or why that cannot be said. Never raises."""
    try:
        found = sorted(_LISTS[what](_connection(deployment)))
    # this text only helps an error along: whatever goes wrong here must not hide that error
    except Exception as error:
        said = str(error).strip().splitlines() or [repr(error)]
        return f"What there is could not be listed: {said[0]}"
    more = f" … and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"There is: {', '.join(found[:SHOWN])}{more}." if found else f"This project sees no {what}."


def _connection(deployment: Deployment) -> Any:
    """A client with the credentials that everything else of this run uses, of whichever kind they are."""
    infrastructure = deployment.suite.infrastructure
    assert isinstance(infrastructure, Cloud)
    return connect(infrastructure, find_driver_credentials(deployment))


def _flavors(cloud: Any) -> Iterable[str]:
    return [f"{item.name} ({item.vcpus} CPU, {round(item.ram / 1024, 1):g} GiB)" for item in cloud.compute.flavors()]


def _networks(cloud: Any) -> Iterable[str]:
    return [item.name for item in cloud.network.networks(is_router_external=True)]


def _images(cloud: Any) -> Iterable[str]:
    return {item.name for item in cloud.image.images(status="active") if item.disk_format not in ("aki", "ari")}


def _zones(cloud: Any) -> Iterable[str]:
    return [str(item.name).removesuffix(".") for item in cloud.dns.zones()]


_LISTS: dict[str, Callable[[Any], Iterable[str]]] = {
    "DNS zone": _zones,
    "external network": _networks,
    "flavor": _flavors,
    "image": _images,
}
