# SPDX-License-Identifier: MIT
"""Digests."""

from collections.abc import Iterator

from suite_deploy.policy.imageref import parse_reference
from suite_deploy.policy.rule import Outcome, Subject, clause, failed, not_applicable, passed


@clause("by_digest")
def by_digest(subject: Subject) -> Iterator[Outcome]:
    yield from _each(subject, lambda image: parse_reference(image.reference).by_digest, "has no digest: {reference}.")


@clause("in_lock")
def in_lock(subject: Subject) -> Iterator[Outcome]:
    yield from _each(
        subject,
        lambda image: image.locked is True,
        "is not in images.lock.yml with this digest: {reference}.",
        lambda image: "" if parse_reference(image.reference).by_digest else "it has no digest that could be in a lock",
    )


def _each(subject: Subject, holds, message: str, passed_over=lambda image: "") -> Iterator[Outcome]:
    """passed_over: why the clause has nothing to judge in an image, "" where it has."""
    if subject.is_local:
        yield not_applicable("components", "on this machine `up` resolves images itself and pins what it found")
        return
    said = False
    for component in subject.components:
        for image in component.images:
            said = True
            target = f"components.{component.slug}.images.{image.owner.replace(' ', '-')}"
            if passed_over(image):
                yield not_applicable(target, passed_over(image))
            elif holds(image):
                yield passed(target)
            else:
                yield failed(
                    target, f"the image of the {image.owner} " + message.format(reference=image.reference or "none")
                )
    if not said:
        yield not_applicable("components", "no component runs a container")
