# SPDX-License-Identifier: MIT
"""System images."""

from collections.abc import Iterator

from suite_deploy.policy.hosts import host_in, host_of
from suite_deploy.policy.rule import Outcome, Resource, Subject, clause, failed, not_applicable, passed, resource_clause

KEY = "infrastructure.image"


@clause("image_pinned")
def image_pinned(subject: Subject) -> Iterator[Outcome]:
    written = subject.get(KEY, {})
    url = written.get("url")
    if not subject.is_cloud:
        yield not_applicable(KEY, f"the driver {subject.driver} creates no host from an image of a provider")
    elif not any(written.get(name) for name in ("id", "name", "url")):
        yield failed(KEY, "is not written, so the provider's own image of that name would be taken unseen.")
    elif url and not host_in(host_of(str(url)) or "", subject.profile.allow.image_sources):
        yield failed(f"{KEY}.url", f"{host_of(str(url))} is no listed source.")
    elif written.get("id") or written.get("sha256") or written.get("sha512"):
        yield passed(KEY, str(written.get("id") or written.get("name") or url))
    else:
        yield failed(KEY, f"{url or written.get('name')!r} has no checksum (`sha256`, or `sha512` of a name).")


@resource_clause("image_source", "openstack:images/image:Image")
def image_source(resource: Resource, subject: Subject) -> str | None:
    url = resource.props.get("imageSourceUrl")
    if url and not host_in(host_of(str(url)) or "", subject.profile.allow.image_sources):
        return f"is uploaded from {host_of(str(url))}, which is no listed source."
    if url and resource.props.get("verifyChecksum") is False:
        return "is uploaded without verifying its checksum."
    return None
