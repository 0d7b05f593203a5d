# SPDX-License-Identifier: MIT
"""Where resources of OVHcloud's own interface go: one project, one company's interface, one region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_ovh as ovh
from pulumi_ovh import cloudproject

from stacks.components.openstack.place import PATIENCE, Place
from suite_deploy.errors import CouldNotRun

#: what OVHcloud's interface answers, with a 404, for a project that does not exist or is somebody else's
_NO_PROJECT = "This service does not exist"


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
    Raises CouldNotRun when the project's regions cannot be read: refused keys, another project's id, no answer.
    """
    region = project.place.region
    opts = pulumi.InvokeOptions(provider=project.provider)
    try:
        # The whole list: of a single region, "no such project" and "not opened yet" are both a 404.
        opened = cloudproject.get_regions(service_name=project.id, opts=opts).names
    except Exception as error:
        raise CouldNotRun(_refusal(str(error).strip())) from error
    if region in opened:
        return None
    # Others may have come to use the region by the time this stack goes.
    kept = pulumi.ResourceOptions(provider=project.provider, retain_on_delete=True)
    return cloudproject.ProjectRegion(f"region-{region}", service_name=project.id, region=region, opts=kept)


def _refusal(said: str) -> str:
    """The engine raises plain exceptions, so what the interface says is all there is to go by."""
    if _NO_PROJECT in said:
        step = "infrastructure.project is the id of a project that these keys may use, as OVHcloud's console shows it."
    else:
        step = (
            "Check OVH_APPLICATION_KEY, OVH_APPLICATION_SECRET and OVH_CONSUMER_KEY (or OVH_CLIENT_ID and"
            " OVH_CLIENT_SECRET, or ovh.conf):\n  they belong to infrastructure.endpoint, and may use the project."
        )
    return f"OVHcloud's own interface did not list the project's regions:\n  {said}\n  {step}"
