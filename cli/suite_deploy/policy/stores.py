# SPDX-License-Identifier: MIT
"""Buckets elsewhere (state, backups): does the endpoint belong to the offer, and may data lie there?"""

from __future__ import annotations

from .clock import in_force
from .hosts import host_in, host_of, is_private
from .register_schema import EEA, EU, Region
from .sentences import label_name
from .subject import Subject


def _regions(subject: Subject, key: str) -> tuple[str, tuple[Region, ...]]:
    offer = str(subject.get(f"{key}.offer") or subject.offer or "")
    return offer, subject.register.regions_of(offer) if offer else ()


def endpoint_problem(subject: Subject, key: str) -> str | None:
    """What is wrong with the endpoint of the store at `key`, a sentence; None: it is of a region of its offer."""
    endpoint = str(subject.get(f"{key}.endpoint", ""))
    host = host_of(endpoint)
    if not host:
        return "no endpoint is written."
    offer, rows = _regions(subject, key)
    if any(host_in(host, row.hosts) for row in rows):
        return None
    if subject.profile.location == "any" or is_private(host):
        return None
    owner = subject.register.owner_of_host(host)
    if owner:
        return (
            f"{host} is {owner.provider} {owner.ids[0]} ({owner.city}), which is not of {offer or 'a declared offer'}."
        )
    known = sorted({name for row in rows for name in row.hosts})
    return f"{host} is no endpoint of {offer or 'a declared offer'}. Known: {', '.join(known) or 'none'}."


def place_problem(subject: Subject, key: str) -> str | None:
    """Why data may not lie at the offer of the store at `key`; None: it may."""
    offer, rows = _regions(subject, key)
    profile = subject.profile
    if profile.location == "any":
        return None
    if not offer or not rows:
        return f"{offer or 'no offer'} is not in the register, so its place is not known."
    host = host_of(str(subject.get(f"{key}.endpoint", ""))) or ""
    here = [row for row in rows if host_in(host, row.hosts)] or list(rows)
    outside = [row for row in here if row.country not in (EU if profile.location == "eu" else EEA)]
    if outside:
        first = outside[0]
        return f"{first.ids[0]} is {first.city} ({first.country}); profile {profile.name} allows {profile.places}."
    for label in subject.labels:
        row = subject.register.decision(offer, label, subject.on)
        if row is None or row.status != "qualified":
            return f"{offer} holds no {label_name(label)}, which {profile.name} requires of every place data lies in."
        if not in_force(row.since, row.until, subject.on):
            return f"the {label_name(label)} of {offer} is not in force on {subject.on}."
        scope = row.services.get("object")
        if scope is None or scope.status != "in_scope":
            return f"the object store of {offer} is not known to be inside its {label_name(label)}."
    return None
