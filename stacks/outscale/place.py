# SPDX-License-Identifier: MIT
"""Where resources go: one region, one endpoint, one suite's names and tags; literals of the inventory, all of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from stacks.components.spec import StackSpec
from stacks.outscale.providers.volume import LETTERS
from suite_deploy.errors import InvalidInput, Problem
from suite_deploy.model.deployment import Deployment
from suite_deploy.model.suite import Outscale


@dataclass(frozen=True)
class Place:
    """What every resource is given. endpoint: the API's URL. store: the object store's. unprotect: data may go."""

    region: str
    endpoint: str
    store: str
    suite: str
    tags: Mapping[str, str]
    unprotect: bool = False

    def called(self, *words: str) -> str:
        """The cloud's name of a thing: the suite's, then the words."""
        return "-".join((self.suite, *words))

    def common(self, *words: str, **more: str) -> dict[str, Any]:
        """Properties that every resource has: region, endpoint, and the tags it is found again by."""
        tags = {**self.tags, **more, "Name": self.called(*words), "suite": self.suite}
        return {"region": self.region, "endpoint": self.endpoint, "tags": tags}

    def under(self, parent: pulumi.Resource, **options: Any) -> pulumi.ResourceOptions:
        """Options of a resource inside a component."""
        return pulumi.ResourceOptions(parent=parent, **options)

    def data_under(self, parent: pulumi.Resource, **options: Any) -> pulumi.ResourceOptions:
        """Options of a resource that holds data: the engine refuses to remove or replace it."""
        return self.under(parent, protect=not self.unprotect, **options)

    def zone(self, wanted: str | None) -> str:
        """A subregion: the one asked for, else the region's first."""
        return wanted or f"{self.region}a"


def place_of(deployment: Deployment, spec: StackSpec, *, unprotect: bool) -> Place:
    """The place of a deployment. Raises InvalidInput for zones of other regions and too many volumes, all at once."""
    infrastructure = deployment.suite.infrastructure
    assert isinstance(infrastructure, Outscale)
    region = infrastructure.region
    pattern = re.compile(rf"^{re.escape(region)}[a-d]$")
    problems = []
    for host in spec.hosts:
        if host.zone is not None and not pattern.match(host.zone):
            where = deployment.place("infrastructure", "hosts", host.name, "zone")
            key = f"infrastructure.hosts.{host.name}.zone"
            found = f"{host.zone!r} is no subregion of {region}."
            problems.append(Problem(where.file, where.line, key, found, f"Accepted: like {region}a"))
        if len(host.volumes) > len(LETTERS):
            where = deployment.place("infrastructure", "hosts", host.name, "volumes")
            key = f"infrastructure.hosts.{host.name}.volumes"
            found = f"{len(host.volumes)} volumes; a VM has device names for {len(LETTERS)}."
            problems.append(Problem(where.file, where.line, key, found, "", "Spread them over more hosts."))
    if problems:
        raise InvalidInput(problems)
    store = infrastructure.object_store
    return Place(
        region=region,
        endpoint=infrastructure.sign_in,
        store=str(store.endpoint if store else f"https://oos.{region}.outscale.com"),
        suite=spec.suite,
        tags=spec.tags,
        unprotect=unprotect,
    )
