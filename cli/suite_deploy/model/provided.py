# SPDX-License-Identifier: MIT
"""What is asked of a provider's object store and DNS, held against the rest of the inventory."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Problem
from .inventory import Inventory
from .needs import Described
from .suite import SuiteFile
from .values import in_zone

_STORE = ("infrastructure", "object_store")


def provided_problems(suite: SuiteFile, described: Described, inventory: Inventory) -> list[Problem]:
    """A zone that the suite is not in, and an object store that somebody cannot use."""
    return [*_zone(suite, inventory), *_store(suite, described, inventory)]


def _zone(suite: SuiteFile, inventory: Inventory) -> Iterator[Problem]:
    dns = getattr(suite.infrastructure, "dns", None)
    if dns is not None and not in_zone(suite.domain, dns.zone):
        where = inventory.place(("infrastructure", "dns", "zone"))
        labels = suite.domain.split(".")
        parents = ", ".join(".".join(labels[cut:]) for cut in range(len(labels) - 1))
        yield Problem(
            where.file,
            where.line,
            "infrastructure.dns.zone",
            f"the suite's domain {suite.domain} does not lie in {dns.zone}.",
            f"Accepted: {parents}.",
            "Name the zone that the provider serves, or leave `dns` out: `up` lists the records to publish.",
        )


def _store(suite: SuiteFile, described: Described, inventory: Inventory) -> Iterator[Problem]:
    infrastructure = suite.infrastructure
    store = infrastructure.object_store
    if store is None or store.interface == "s3":
        return
    where = inventory.place((*_STORE, "interface"))
    key = ".".join((*_STORE, "interface"))
    if infrastructure.no_swift:
        yield Problem(where.file, where.line, key, f"is `swift`: {infrastructure.no_swift}.", "Accepted: s3.")
        return
    using = {slug: need for slug, (item, _) in described.items() if (need := item.needs.bucket)}
    for slug, need in using.items():
        if store.interface not in need.interfaces:
            yield Problem(
                where.file,
                where.line,
                key,
                f"is `{store.interface}`, and {described[slug][0].title} (components.{slug}) does not speak it.",
                f"Accepted with it: {', '.join(need.interfaces)}.",
                "Write `interface: s3` where the cloud's Swift has its S3 interface, or leave `object_store` out:"
                " the suite then brings its own store.",
            )
