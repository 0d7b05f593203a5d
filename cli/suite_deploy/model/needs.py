# SPDX-License-Identifier: MIT
"""What components need from each other, before hosts are known: who is enabled by itself, and for whom."""

from __future__ import annotations

from typing import Any

from . import components as registry
from .component import ComponentFile, Kind
from .suite import SuiteFile

#: slug → description and what the operator set
Described = dict[str, tuple[ComponentFile, dict[str, Any]]]

KIND_WORDS: dict[Kind, str] = {
    "identity": "an identity provider",
    "homeserver": "a homeserver",
    "livekit": "a media server",
    "objectstore": "an object store",
    "matrixrtc": "an authorisation service for calls",
    "webclient": "a chat client",
}


def kinds_needed(description: ComponentFile, suite: SuiteFile) -> tuple[Kind, ...]:
    """Kinds of components that this one cannot do without here; the provider's object store serves as well as ours."""
    elsewhere = ("objectstore",) if suite.infrastructure.object_store else ()
    return tuple(kind for kind in description.needs.kinds if kind not in elsewhere)


def implied_by(described: Described, suite: SuiteFile) -> Described:
    """Components enabled by themselves, with their defaults, because somebody needs what only they provide."""
    added: Described = {}
    while True:
        here = {**described, **added}
        provided = {kind for description, _ in here.values() for kind in description.provides}
        missing = [kind for description, _ in here.values() for kind in kinds_needed(description, suite)]
        slugs = {registry.implied_provider(kind) for kind in missing if kind not in provided} - {None}
        if not slugs:
            return added
        for slug in sorted(filter(None, slugs)):
            description = registry.describe(slug)
            added[slug] = (description, dict.fromkeys(description.options))


def parameters_of_needs(described: Described) -> list[dict[str, Any]]:
    """The distinct parameters that components ask for."""
    needs = [description.needs.livekit for description, _ in described.values()]
    return [need.parameters for need in needs if need]


def needed_by(provider: ComponentFile, described: Described) -> str:
    """Titles of the components that need what this one provides."""
    asking = [item.title for item, _ in described.values() if set(item.needs.kinds) & set(provider.provides)]
    return ", ".join(asking)
