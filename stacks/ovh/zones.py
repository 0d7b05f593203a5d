# SPDX-License-Identifier: MIT
"""Which zone of a region each host stands in, with its volumes.

In a region of three zones a disk can only be attached in the zone it lies in, so none is left to chance; Cinder takes
the zones' own names there and refuses `nova`. Network, gateway and public addresses belong to the whole region.
Source: OVHcloud's guide "3-AZ resilience: Mechanisms and reference architectures".
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from stacks.components.spec import HostSpec, StackSpec
from suite_deploy.errors import InvalidInput, Problem
from suite_deploy.model.deployment import Deployment
from suite_deploy.model.suite import Ovh
from suite_deploy.policy.judging import register_of

#: what OpenStack calls the only zone of a region
ONLY = "nova"


def zones_of(deployment: Deployment) -> tuple[str, ...]:
    """The names of the zones of a deployment's region, as the register has them; none where there is only one."""
    infrastructure = deployment.suite.infrastructure
    assert isinstance(infrastructure, Ovh)
    host = str(urlsplit(infrastructure.sign_in).hostname)
    rows = register_of(deployment).find_regions(infrastructure.region, auth_host=host)
    return rows[0].zones if rows else ()


def placed(deployment: Deployment, spec: StackSpec) -> StackSpec:
    """Every host in a zone: the one written, else the region's first; in none where the region has only one.

    Raises InvalidInput for every written zone that the region does not have.
    """
    zones = zones_of(deployment)
    accepted = zones or (ONLY,)
    problems = [
        _no_zone(deployment, spec.region, host, accepted)
        for host in spec.hosts
        if host.zone is not None and host.zone not in accepted
    ]
    if problems:
        raise InvalidInput(problems)
    first = zones[0] if zones else None
    return replace(spec, hosts=tuple(replace(host, zone=host.zone or first) for host in spec.hosts))


def _no_zone(deployment: Deployment, region: str, host: HostSpec, accepted: tuple[str, ...]) -> Problem:
    place = deployment.place("infrastructure", "hosts", host.name, "zone")
    key = f"infrastructure.hosts.{host.name}.zone"
    found = f"{host.zone!r} is no zone of {region}."
    step = "Leave it out for the region's first." if len(accepted) > 1 else "The region has only one: leave it out."
    return Problem(place.file, place.line, key, found, f"Accepted: {', '.join(accepted)}.", step)
