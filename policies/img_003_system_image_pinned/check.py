# SPDX-License-Identifier: MIT
"""System images."""

import re
from collections.abc import Iterator

from suite_deploy.policy.hosts import host_in, host_of
from suite_deploy.policy.rule import Outcome, Resource, Subject, clause, failed, not_applicable, passed, resource_clause

KEY = "infrastructure.image"
_ID = re.compile(r"^(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|ami-[0-9a-f]{8})$")


@clause("image_pinned")
def image_pinned(subject: Subject) -> Iterator[Outcome]:
    written = subject.get(KEY)
    if not subject.is_cloud:
        yield not_applicable(KEY, f"the driver {subject.driver} creates no host from an image of a provider")
    elif not written:
        yield failed(KEY, "is not written, so the provider's own image of that name would be taken unseen.")
    elif _ID.match(str(written)) or subject.get("infrastructure.image_sha256"):
        yield passed(KEY, str(written))
    else:
        yield failed(KEY, f"{written!r} is a name without a checksum.")


@resource_clause("image_source", "openstack:images/image:Image")
def image_source(resource: Resource, subject: Subject) -> str | None:
    url = resource.props.get("imageSourceUrl")
    if url and not host_in(host_of(str(url)) or "", subject.profile.allow.image_sources):
        return f"is uploaded from {host_of(str(url))}, which is no listed source."
    if url and resource.props.get("verifyChecksum") is False:
        return "is uploaded without verifying its checksum."
    return None
