# SPDX-License-Identifier: MIT
"""Old versions in the buckets of an OpenStack's store that speaks S3: asked for over S3, which every such store knows.

The engine's provider asks by Swift's `X-Versions-Enabled`, which Ceph's Swift interface passes over without a word.
Source: https://github.com/terraform-provider-openstack/terraform-provider-openstack/issues/1521
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import CouldNotRun
from ..model.deployment import Deployment
from ..model.outputs import Progress
from ..model.suite import OpenStack
from ..paths import share_import
from ..render.vocabulary import bucket_name
from .credentials import Credentials


def keep_versions(
    deployment: Deployment, credentials: Credentials, exports: Mapping[str, Any], progress: Progress
) -> None:
    """See to it that every bucket whose component relies on old versions keeps them, with the bucket's own key.

    credentials: name the authority that the cloud's certificates are of. exports: of the program, secrets included.
    Raises CouldNotRun where the store keeps none.
    """
    infrastructure, store = deployment.suite.infrastructure, deployment.object_store
    if not isinstance(infrastructure, OpenStack) or store is None or store.interface != "s3":
        return
    from .s3 import access_to, client_of, set_versioning, trusting

    secrets = share_import("stacks.components.outputs").read_secrets(exports)
    with trusting(credentials.variables.get("OS_CACERT", "")) as authorities:
        for component in deployment.ordered:
            need = component.description.needs.bucket
            if not need or need.versioning != "required":
                continue
            bucket = bucket_name(deployment, component)
            client = client_of(**access_to(store, secrets, component.slug), authorities=authorities)
            try:
                changed = set_versioning(bucket, client)
            except CouldNotRun as error:
                title = component.description.title
                raise CouldNotRun(
                    f"{error}\n  {title} relies on them. Is {store.endpoint} the store's S3 interface, can this machine"
                    " reach it, and has it versioning? Otherwise leave `infrastructure.object_store` out: the suite"
                    " then brings its own store."
                ) from error
            if changed:
                progress(f"the bucket {bucket} keeps old versions now")
