# SPDX-License-Identifier: MIT
"""Where resources of OVHcloud's own interface go: one project, one company's interface, one region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_ovh as ovh
from pulumi_ovh import cloudproject

from stacks.components.openstack.place import PATIENCE, Place


@dataclass(frozen=True)
class Project:
    """id: the project's. place: where its OpenStack resources go; region, names and tags are the same here."""

    id: str
    provider: ovh.Provider
    place: Place

    def under(self, parent: pulumi.Resource, **options: Any) -> pulumi.ResourceOptions:
        """Options of a resource inside a component; the provider is named, never inherited from the environment."""
        return pulumi.ResourceOptions(parent=parent, provider=self.provider, custom_timeouts=PATIENCE, **options)

    def data_under(self, parent: pulumi.Resource, **options: Any) -> pulumi.ResourceOptions:
        """Options of a resource that holds data: the engine refuses to remove or replace it."""
        return self.under(parent, protect=not self.place.unprotect, **options)


def provider(endpoint: str) -> ovh.Provider:
    """OVHcloud's interface, by the name its own tools use. Who asks is for OVH_* variables to say, no argument."""
    return ovh.Provider("ovh", endpoint=endpoint)


def open_region(project: Project) -> cloudproject.ProjectRegion | None:
    """Open the region for the project where it is not yet; None where it is.

    What a closed region has cannot be asked, so that the hosts have to wait for another run of the program.
    """
    region = project.place.region
    opts = pulumi.InvokeOptions(provider=project.provider)
    try:
        cloudproject.get_region(service_name=project.id, name=region, opts=opts)
    except Exception as error:
        # The engine raises plain exceptions; only this one means that there is something to do.
        if "404" not in str(error) and "not found" not in str(error).lower():
            raise
        # Others may have come to use the region by the time this stack goes.
        kept = pulumi.ResourceOptions(provider=project.provider, retain_on_delete=True)
        return cloudproject.ProjectRegion(f"region-{region}", service_name=project.id, region=region, opts=kept)
    return None
