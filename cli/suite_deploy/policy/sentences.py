# SPDX-License-Identifier: MIT
"""Sentences that several rules say."""

from __future__ import annotations

from collections.abc import Iterable

from ..model.validation import nearest
from .clock import days_left
from .register_schema import Offer
from .subject import Subject

_LABELS = {"secnumcloud": "SecNumCloud qualification", "hds": "HDS certification"}
_STATUS = {
    "in_progress": "is in progress, not granted",
    "not_qualified": "is not covered by any decision found",
    "unverified": "was seen in one copy of the catalogue only, and could not be verified",
    "expired": "has expired",
    "suspended": "is suspended",
    "withdrawn": "was withdrawn",
    "unknown": "is not known",
}
SOON = 180


def label_name(label: str) -> str:
    """A label as people call it."""
    return _LABELS.get(label, label)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question that names the closest known word, with a space before it; empty when none is close."""
    near = nearest(word, known)
    return f" Did you mean `{near}`?" if near else ""


def status_sentence(row: Offer, subject: Subject) -> tuple[str, ...]:
    """What the register says of a row that is not qualified, with confidence and source."""
    sources = "; ".join(subject.register.source_text(name) for name in row.source)
    status = _STATUS.get(row.status, row.status)
    return (
        f"{row.offer}: its {label_name(row.label)} {status} (confidence {row.confidence.status}).",
        f"Source: {sources}, {row.date}. Profile {subject.profile.name} requires a qualified offer.",
        row.note,
    )


def places_qualified(subject: Subject, label: str) -> str:
    """Where one could go instead: offers that hold the label today and that a driver of ours reaches."""
    found = []
    for row, regions in subject.register.qualified(label, subject.on):
        names = [name for region in regions for name in region.ids]
        if names and row.until:
            soon = f", until {row.until}" if days_left(row.until, subject.on) <= SOON else ""
            found.append(f"{row.offer} ({', '.join(names)}{soon})")
    return f"Qualified on {subject.on} and reachable from here: {'; '.join(found) or 'nothing the register knows'}."
