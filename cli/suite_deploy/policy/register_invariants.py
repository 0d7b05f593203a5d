# SPDX-License-Identifier: MIT
"""What must hold over a whole register, whoever wrote it."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from .register_schema import EU, Offer, RegisterFile


def contradictions(register: RegisterFile) -> list[str]:
    """Every broken invariant as a sentence; empty when the register is sound."""
    return [
        *_dangling(register),
        *_dates(register),
        *_overlaps(register),
        *_countries(register),
        *_ambiguous_regions(register),
        *_hosts(register),
    ]


def _dangling(register: RegisterFile) -> Iterator[str]:
    offers = {offer.offer for offer in register.offers}
    for region in register.regions:
        if region.offer not in offers:
            yield f"region {region.ids[0]} of {region.provider} belongs to {region.offer}, which is no offer"
    providers = {offer.offer: offer.provider for offer in register.offers}
    for region in register.regions:
        if providers.get(region.offer, region.provider) != region.provider:
            yield f"region {region.ids[0]}: provider {region.provider} is not that of {region.offer}"
    rows = [*register.offers, *register.regions, *register.duties]
    rows += [event for offer in register.offers for event in offer.control]
    for row in rows:
        for source in row.source:
            if source not in register.sources:
                yield f"source {source!r} is not described"


def _dates(register: RegisterFile) -> Iterator[str]:
    for offer in register.offers:
        name = f"{offer.offer} ({offer.label})"
        if offer.since and offer.until and offer.since > offer.until:
            yield f"{name}: since {offer.since} is after until {offer.until}"
        if offer.status == "qualified":
            if not (offer.since and offer.until):
                yield f"{name}: qualified without both dates"
            if not offer.decision:
                yield f"{name}: qualified without a decision number"
        if offer.since and offer.since > register.checked_on:
            yield f"{name}: starts after the register was last checked"
    if register.checked_on < register.as_of:
        yield f"checked on {register.checked_on}, before the catalogue's own date {register.as_of}"


def _overlaps(register: RegisterFile) -> Iterator[str]:
    rows: dict[tuple[str, str], list[Offer]] = defaultdict(list)
    for offer in register.offers:
        rows[offer.label, offer.offer].append(offer)
    for (label, key), items in rows.items():
        if len(items) > 1 and not all(item.since and item.until for item in items):
            yield f"{key} ({label}): several rows, and one has no dates"
            continue
        ordered = sorted(items, key=lambda item: str(item.since))
        for earlier, later in pairwise(ordered):
            if earlier.until and later.since and later.since <= earlier.until:
                yield f"{key} ({label}): {later.since} overlaps the row until {earlier.until}"


def _countries(register: RegisterFile) -> Iterator[str]:
    for region in register.regions:
        really = region.country in EU if region.country else False
        if region.eu != really:
            said = "in" if region.eu else "outside"
            yield f"region {region.ids[0]} of {region.provider} says {said} the EU, its country is {region.country}"


def _ambiguous_regions(register: RegisterFile) -> Iterator[str]:
    seen: dict[tuple[str, str, str], str] = {}
    for region in register.regions:
        hosts = (region.auth_hosts,) if isinstance(region.auth_hosts, str) else region.auth_hosts
        for host in hosts:
            for identifier in region.ids:
                key = (region.provider, host, identifier)
                if key in seen:
                    yield f"{identifier} of {region.provider} at {host} is listed twice"
                seen[key] = region.offer


def _hosts(register: RegisterFile) -> Iterator[str]:
    for region in register.regions:
        names = () if isinstance(region.auth_hosts, str) else region.auth_hosts
        for host in (*names, *region.hosts):
            bare = host.removeprefix("*.")
            if "/" in bare or "*" in bare or bare != bare.lower() or "." not in bare or _is_address(bare):
                yield f"region {region.ids[0]} of {region.provider}: {host!r} is no host name"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
