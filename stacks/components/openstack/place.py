# SPDX-License-Identifier: MIT
"""Where resources go: one provider with literal settings, one region, one suite's names and tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_openstack as openstack

from suite_deploy.model.values import Service

#: creating and deleting servers and volumes on a busy cloud
PATIENCE = pulumi.CustomTimeouts(create="30m", update="30m", delete="15m")


@dataclass(frozen=True)
class Place:
    """What every resource is given. tags: key → value. unprotect: data may be removed, because that was asked for."""

    provider: openstack.Provider
    region: str
    suite: str
    tags: Mapping[str, str]
    unprotect: bool = False

    def called(self, *words: str) -> str:
        """The cloud's name of a thing: the suite's, then the words."""
        return "-".join((self.suite, *words))

    @property
    def labels(self) -> list[str]:
        """The tags of resources that know no keys, only words."""
        return sorted(f"{key}={value}" for key, value in self.tags.items())

    def metadata(self, **more: str) -> dict[str, str]:
        """The tags of resources that know keys."""
        return {**self.tags, **more}

    def under(self, parent: pulumi.Resource, **options: Any) -> pulumi.ResourceOptions:
        """Options of a resource inside a component; the provider is named, never inherited from the environment."""
        return pulumi.ResourceOptions(parent=parent, provider=self.provider, **options)

    def data_under(self, parent: pulumi.Resource, **options: Any) -> pulumi.ResourceOptions:
        """Options of a resource that holds data: the engine refuses to remove or replace it."""
        return self.under(parent, protect=not self.unprotect, custom_timeouts=PATIENCE, **options)


def provider(name: str, *, auth_url: str, region: str, endpoints: Mapping[Service, str]) -> openstack.Provider:
    """The provider: where it is, as literals of the inventory. Who asks, OS_* variables say: arguments end in a state.

    endpoints: service → URL, instead of the catalogue's.
    """
    return openstack.Provider(
        name,
        auth_url=auth_url,
        region=region,
        insecure=False,
        endpoint_overrides={str(service): url for service, url in endpoints.items()} or None,
        max_retries=5,
    )
