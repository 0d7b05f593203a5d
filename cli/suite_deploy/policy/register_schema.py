# SPDX-License-Identifier: MIT
"""The typed rows of the register: offers (what was qualified), regions (what interfaces call them), duties (law)."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from ..model.strict import Strict

#: A primary or vendor text · B two independent sources · C one secondary source · K general knowledge
#: ? looked for, not found
Confidence = Literal["A", "B", "C", "K", "?"]
CONFIDENCE_ORDER: tuple[Confidence, ...] = ("A", "B", "C", "K", "?")
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
OfferKey = Annotated[str, Field(pattern=r"^[a-z0-9-]+/[a-z0-9-]+$")]

#: member states of the Union, and what the EEA adds
EU = frozenset(
    ("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU",
     "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK")
)  # fmt: skip
EEA = EU | frozenset(("IS", "LI", "NO"))


def weakest(*levels: Confidence) -> Confidence:
    """The lowest of several confidences."""
    return max(levels, key=CONFIDENCE_ORDER.index)


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_as_list)]


class Sourced(Strict):
    """Every row says where it is from, of which day that is, and how sure we are."""

    source: Texts = Field(min_length=1)
    date: datetime.date


class ControlEvent(Sourced):
    """A dated change, or attempted change, of who controls a provider: never a headline without its outcome."""

    event: str
    outcome: Literal["announced", "blocked", "closed"]
    #: what the event, if closed, means under the ownership caps of the reference
    effect: Literal["eu", "non_eu", "none"]
    confidence: Confidence


class LegalEntity(Strict):
    name: str
    country: Country | None = None
    confidence: Confidence


class ServiceScope(Strict):
    """Whether one service of an offer is inside its qualification."""

    status: Literal["in_scope", "in_progress", "out_of_scope", "unknown"]
    confidence: Confidence = "C"
    note: str = ""


def _scope(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: {"status": item} if isinstance(item, str) else item for name, item in value.items()}


Status = Literal[
    "qualified", "in_progress", "not_qualified", "unverified", "expired", "suspended", "withdrawn", "unknown"
]


class FieldConfidence(Strict):
    """How sure we are, field by field."""

    status: Confidence
    dates: Confidence = "?"
    decision: Confidence = "?"
    sites: Confidence = "?"
    reference_version: Confidence = "?"


class Offer(Sourced):
    """One (label, provider, offer). Several rows of one key are successive decisions; dates must not overlap."""

    offer: OfferKey
    label: Literal["secnumcloud", "hds"]
    provider: str
    title: str
    type: Texts = ()
    services: Annotated[dict[str, ServiceScope], BeforeValidator(_scope)] = {}
    sites: str | None = None
    since: datetime.date | None = None
    until: datetime.date | None = None
    decision: Annotated[str | None, BeforeValidator(_as_text)] = None
    reference_version: Annotated[str | None, BeforeValidator(_as_text)] = None
    status: Status
    legal_entity: LegalEntity | None = None
    control: tuple[ControlEvent, ...] = ()
    #: who can drive it: one of our drivers, or none
    reach: tuple[Literal["openstack", "ovh", "outscale"], ...] = ()
    confidence: FieldConfidence
    note: str = ""

    @property
    def control_is(self) -> Literal["eu", "non_eu", "unknown"]:
        """Who controls the entity after its last closed event; announced and blocked events change nothing."""
        closed = sorted((item for item in self.control if item.outcome == "closed"), key=lambda item: item.date)
        effects = [item.effect for item in closed if item.effect != "none"]
        if effects:
            return "eu" if effects[-1] == "eu" else "non_eu"
        if self.legal_entity is None or self.legal_entity.country is None:
            return "unknown"
        return "eu" if self.legal_entity.country in EU else "non_eu"


class Region(Sourced):
    """One (provider, auth host, region id). `auth_hosts: delivered`: the host is handed over with the contract."""

    provider: str
    ids: Texts = Field(min_length=1)
    auth_hosts: Literal["delivered", "none"] | tuple[str, ...]
    #: other hosts of the same region: service interfaces and object store; `*.` matches one label or more
    hosts: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    city: str = ""
    country: Country | None
    eu: bool
    offer: OfferKey
    #: how sure we are that the region belongs to the offer
    link: Confidence
    confidence: Confidence
    auth_confidence: Confidence = "?"
    drivers: tuple[Literal["openstack", "ovh", "outscale"], ...] = ()
    note: str = ""

    @property
    def delivered(self) -> bool:
        """Whether only the operator's contract names the host."""
        return self.auth_hosts == "delivered"


class Duty(Sourced):
    """Who must host which data with which label, since when."""

    label: Literal["secnumcloud", "hds"]
    entities: tuple[str, ...]
    sensitivity: tuple[str, ...]
    since: datetime.date
    reference: str
    confidence: Confidence
    note: str = ""


class Source(Strict):
    text: str
    url: str | None = None
    date: datetime.date | None = None


class RegisterFile(Strict):
    """A whole register: what `policy register --export` writes and `register.file` reads."""

    schema_: Literal[1] = Field(alias="schema")
    title: str
    #: the day of the catalogue that the offers were read from
    as_of: datetime.date
    #: the day a person last looked for something newer
    checked_on: datetime.date
    licence: str
    sources: dict[str, Source]
    offers: tuple[Offer, ...] = Field(min_length=1)
    regions: tuple[Region, ...] = Field(min_length=1)
    duties: tuple[Duty, ...] = ()

    @model_validator(mode="after")
    def consistent(self) -> RegisterFile:
        from .register_invariants import contradictions

        problems = contradictions(self)
        if problems:
            raise ValueError("; ".join(problems))
        return self
