# SPDX-License-Identifier: MIT
"""Registries, compared whole: `registry.example` is not `registry.example.evil.example`."""

from collections.abc import Iterator

from suite_deploy.policy.hosts import host_in, host_of, is_private
from suite_deploy.policy.imageref import is_under, parse_reference
from suite_deploy.policy.rule import Outcome, Subject, clause, failed, not_applicable, passed

MIRROR = "images.mirror"


@clause("registry_allowed")
def registry_allowed(subject: Subject) -> Iterator[Outcome]:
    mirror = subject.get(MIRROR)
    allowed = [*([str(mirror)] if mirror else []), *subject.profile.allow.registries]
    said = False
    for component in subject.components:
        for image in component.images:
            said = True
            target = f"components.{component.slug}.images.{image.owner.replace(' ', '-')}"
            if not image.reference:
                yield failed(target, f"the {image.owner} names no image.")
                continue
            reference = parse_reference(image.reference)
            if any(is_under(reference, item) for item in allowed):
                yield passed(target, reference.repository)
            elif subject.is_local and is_private(host_of(reference.registry) or ""):
                yield passed(target, f"{reference.registry}, the registry of this machine")
            else:
                yield failed(
                    target,
                    f"the {image.owner} would pull {image.reference} from {reference.registry}.",
                    f"Allowed: {', '.join(allowed)}."
                    if allowed
                    else "No registry of your own is declared (`images.mirror`).",
                )
    if not said:
        yield not_applicable("components", "no component runs a container")


@clause("mirror_is_own")
def mirror_is_own(subject: Subject) -> Iterator[Outcome]:
    mirror = subject.get(MIRROR)
    if not mirror:
        yield not_applicable(MIRROR, "no mirror is declared; each image's own registry is judged")
        return
    registry = str(mirror).partition("/")[0].partition(":")[0]
    if host_in(registry, subject.profile.refuse.registries):
        yield failed(MIRROR, f"{registry} is a public registry outside European control, not your own.")
    else:
        yield passed(MIRROR, str(mirror))
