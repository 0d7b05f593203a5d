# SPDX-License-Identifier: MIT
"""Names of the inventory → ids of the cloud; a name the cloud does not know is answered with those it does."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import pulumi
from pulumi_openstack import blockstorage, compute, dns, images, networking

from stacks.components.openstack.place import Place
from stacks.components.spec import StackSpec
from stacks.openstack import catalogue
from suite_deploy.cloud.need import disk_of_image
from suite_deploy.errors import CouldNotRun, InvalidInput, Problem
from suite_deploy.model.deployment import Deployment
from suite_deploy.model.suite import Cloud, OpenStack

Result = TypeVar("Result")
#: how the provider says that a name fits nothing, or too much
_NONE, _SEVERAL = "returned no results", "more than one"
#: how it says that the cloud's catalogue has no service of that kind in the region
_NO_SERVICE = "No suitable endpoint could be found"


@dataclass(frozen=True)
class Network:
    """A network that public addresses come from."""

    id: str
    name: str


@dataclass(frozen=True)
class Image:
    """A system image of the cloud; properties: as the cloud keeps them. gib: of the disk that it needs at least."""

    id: str
    properties: Mapping[str, str]
    gib: int = 0


@dataclass(frozen=True)
class Found:
    """What the inventory's names stand for on this cloud."""

    external_network: Network
    #: the inventory's name → id
    flavors: Mapping[str, str]
    image: Image | None = None
    #: of the zone that names are published in; "" where none is named
    zone_id: str = ""


class _Missing(Exception):
    """A name fits nothing, or too much; the text says which."""


def look_up(deployment: Deployment, spec: StackSpec, place: Place, *, external_network: str = "") -> Found:
    """Find external network, flavors, image and DNS zone by name.

    external_network: for a provider that has it fixed; the inventory's when empty.
    Raises InvalidInput with every name that fits nothing and what there is instead; CouldNotRun when the cloud does
    not answer or refuses the credentials.
    """
    infrastructure = deployment.suite.infrastructure
    assert isinstance(infrastructure, Cloud)
    if isinstance(infrastructure, OpenStack):
        external_network = infrastructure.external_network or ""
    region, opts = place.region, pulumi.InvokeOptions(provider=place.provider)
    problems: list[Problem] = []

    def find(
        path: tuple[Hashable, ...], what: str, name: str, ask: Callable[[], Result], step: str = ""
    ) -> Result | None:
        try:
            return _answer(ask)
        except _Missing as error:
            where = deployment.place(*path)
            there = catalogue.names(what, deployment)
            key = ".".join(map(str, path))
            found = f"{what} {name!r} {error}." if name else f"{what}: the cloud's answer {error}."
            problems.append(Problem(where.file, where.line, key, found, there, step))
            return None

    def network() -> Any:
        return networking.get_network(name=external_network or None, external=True, region=region, opts=opts)

    path: tuple[Hashable, ...] = ("infrastructure", "external_network")
    external = find(path, "external network", external_network, network)
    flavors = {}
    for host in spec.hosts:
        if host.flavor not in flavors:
            flavors[host.flavor] = find(
                ("infrastructure", "hosts", host.name, "flavor"),
                "flavor",
                host.flavor,
                partial(compute.get_flavor, name=host.flavor, region=region, opts=opts),
            )
    named = infrastructure.image.name if infrastructure.image else None
    image = None
    if named:
        path = ("infrastructure", "image", "name")
        image = find(
            path, "image", named, partial(images.get_image, name=named, most_recent=True, region=region, opts=opts)
        )
    zone = None
    if spec.dns and isinstance(infrastructure, OpenStack):
        path = ("infrastructure", "dns", "zone")
        # Designate's names end with a dot
        step = "Have it made and delegated to this cloud, or leave `dns` out: `up` lists the records to publish."
        zone = find(path, "DNS zone", spec.dns.zone, partial(_zone, f"{spec.dns.zone}.", region, opts), step)
    if problems or external is None:
        raise InvalidInput(problems)
    return Found(
        Network(external.id, external.name or ""),
        {name: flavor.id for name, flavor in flavors.items() if flavor},
        _image(image) if image else None,
        zone.id if zone else "",
    )


def volume_zones(deployment: Deployment, spec: StackSpec, place: Place) -> dict[str, str | None]:
    """Host → zone of its data volumes: the one written for them, else the host's where the cloud has volumes in it.

    None: the cloud's default. Asks only when a host is in a zone and `volumes.zone` is absent. Raises CouldNotRun.
    """
    infrastructure = deployment.suite.infrastructure
    written = infrastructure.volumes.zone if isinstance(infrastructure, OpenStack) else None
    if written or not any(host.zone and host.volumes for host in spec.hosts):
        return {host.name: written for host in spec.hosts}
    opts = pulumi.InvokeOptions(provider=place.provider)
    listed = _answer(partial(blockstorage.get_availability_zones_v3, region=place.region, opts=opts)).names
    return {host.name: host.zone if host.zone in listed else None for host in spec.hosts}


def _image(found: Any) -> Image:
    """What is in the file of a packed one only Glance knows, and the provider does not pass it on: the driver asks."""
    unpacked = found.size_bytes if found.disk_format == "raw" else 0
    return Image(found.id, dict(found.properties or {}), disk_of_image(found.min_disk_gb, unpacked))


def _zone(name: str, region: str, opts: pulumi.InvokeOptions) -> Any:
    """A zone by name; a cloud without a DNS service has none, and says so in words about regions."""
    try:
        return dns.get_dns_zone(name=name, region=region, opts=opts)
    except Exception as error:
        if _NO_SERVICE not in str(error):
            raise
        raise _Missing("cannot be there: this cloud offers no DNS service (Designate) in this region") from error


def _answer(ask: Callable[[], Result]) -> Result:
    """What the provider says. The engine raises plain exceptions, so its words are all there is to go by."""
    try:
        return ask()
    except _Missing:
        raise
    except Exception as error:
        text = str(error)
        if _NONE in text:
            raise _Missing("is not known there") from error
        if _SEVERAL in text:
            raise _Missing("fits several") from error
        raise CouldNotRun(
            f"the cloud did not answer a question about its networks, flavors, images or zones:\n  {text.strip()}\n"
            "  Check credentials (OS_USERNAME, OS_PASSWORD, OS_PROJECT_NAME …), auth_url and region."
        ) from error
