# SPDX-License-Identifier: MIT
"""What OVHcloud's provider does not do for its buckets: let pages reach them, and empty them before they go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..model.deployment import Component, Deployment
from ..model.outputs import Progress
from ..model.suite import Ovh
from ..paths import share_import

if TYPE_CHECKING:
    from ..runners.pulumi import EngineStack


def empty(deployment: Deployment, stack: EngineStack, progress: Progress) -> None:
    """OVHcloud removes no bucket that holds anything, and not every version of its provider empties one."""
    from .emptying import empty_bucket

    for _, bucket, access in _buckets_of(deployment, stack):
        empty_bucket(bucket, **access, progress=progress)


def open_to_pages(deployment: Deployment, stack: EngineStack, progress: Progress) -> None:
    """OVHcloud's provider knows no CORS rules: each bucket's own key sets which pages reach it."""
    from .s3 import client_of, set_cors

    for component, bucket, access in _buckets_of(deployment, stack):
        need = component.description.needs.bucket if component else None
        if not (component and component.url and need and need.cors):
            continue
        if set_cors(bucket, [component.url], client_of(**access)):
            progress(f"pages of {component.url} may reach the bucket {bucket} now")


def _buckets_of(deployment: Deployment, stack: EngineStack) -> Iterator[tuple[Component | None, str, dict[str, str]]]:
    """What the store holds: who it is for (None: nobody any more), name, and how it is reached; none elsewhere."""
    infrastructure = deployment.suite.infrastructure
    store = infrastructure.object_store
    if not isinstance(infrastructure, Ovh) or store is None:
        return
    from .s3 import access_to

    exports, _ = stack.outputs()
    secrets = share_import("stacks.components.outputs").read_secrets(exports)
    for resource in stack.resources():
        slug = str(resource["urn"]).rpartition("::bucket-")[2]
        if resource["type"].endswith(":Storage") and f"{slug}.bucket" in secrets:
            access = access_to(store, secrets, slug)
            yield deployment.components.get(slug), str(resource["inputs"]["name"]), access
