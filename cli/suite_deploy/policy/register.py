# SPDX-License-Identifier: MIT
"""Reading a register and looking things up in it: by (provider, auth host, region), never by name alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ..errors import InvalidInput, Problem
from ..paths import resource_root
from .clock import in_force
from .hosts import host_matches
from .register_schema import Offer, Region, RegisterFile
from .yamldata import parse

BUILTIN = ("register.yml", "offers.yml", "offers-hds.yml", "regions.yml", "regions-openstack.yml")
MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Register:
    """A sound register, and where it came from."""

    data: RegisterFile
    digest: str
    origin: str

    @property
    def as_of(self) -> date:
        """The day of the catalogue behind it."""
        return self.data.as_of

    def age(self, on: date) -> int:
        """Days between the catalogue's day and `on`; never negative."""
        return max(0, (on - self.as_of).days)

    @cached_property
    def offer_keys(self) -> tuple[str, ...]:
        """Every offer, in the register's order."""
        return tuple(dict.fromkeys(offer.offer for offer in self.data.offers))

    def rows(self, offer: str, label: str | None = None) -> tuple[Offer, ...]:
        """The rows of an offer, of one label when given, oldest first."""
        found = [item for item in self.data.offers if item.offer == offer and label in (None, item.label)]
        return tuple(sorted(found, key=lambda item: str(item.since)))

    def decision(self, offer: str, label: str, on: date) -> Offer | None:
        """The row that counts on a day: the one in force, else the latest there is."""
        rows = self.rows(offer, label)
        current = [row for row in rows if in_force(row.since, row.until, on)]
        return current[-1] if current else rows[-1] if rows else None

    def regions_of(self, offer: str) -> tuple[Region, ...]:
        """The regions that the register links to an offer."""
        return tuple(region for region in self.data.regions if region.offer == offer)

    def provider(self, offer: str) -> str | None:
        """The provider behind an offer key."""
        rows = self.rows(offer)
        return rows[0].provider if rows else None

    def find_regions(self, region: str, *, provider: str | None = None, auth_host: str | None = None) -> list[Region]:
        """Rows of an exact region id. With an auth host, only rows of that host, or whose host is delivered."""
        return [
            row
            for row in self.data.regions
            if region in row.ids
            and provider in (None, row.provider)
            and (auth_host is None or self.has_auth_host(row, auth_host))
        ]

    def has_auth_host(self, region: Region, host: str) -> bool:
        """Whether `host` is a known auth host of the region; a delivered host is any that no other row claims."""
        if isinstance(region.auth_hosts, tuple):
            return any(host_matches(host, pattern) for pattern in region.auth_hosts)
        return region.delivered and self.owner_of_host(host) is None

    def owner_of_host(self, host: str) -> Region | None:
        """The first region whose auth or service hosts name `host`."""
        for region, patterns in self._host_index:
            if any(host_matches(host, pattern) for pattern in patterns):
                return region
        return None

    @cached_property
    def _host_index(self) -> tuple[tuple[Region, tuple[str, ...]], ...]:
        return tuple(
            (row, (*(row.auth_hosts if isinstance(row.auth_hosts, tuple) else ()), *row.hosts))
            for row in self.data.regions
        )

    def qualified(self, label: str, on: date) -> Iterator[tuple[Offer, tuple[Region, ...]]]:
        """Offers that hold a label on a day, with the regions a driver of ours reaches."""
        for key in self.offer_keys:
            row = self.decision(key, label, on)
            if row and row.status == "qualified" and in_force(row.since, row.until, on):
                yield row, tuple(region for region in self.regions_of(key) if region.drivers)

    def source_text(self, name: str) -> str:
        """The full reference of a short source name."""
        return self.data.sources[name].text


def directory() -> Path:
    """Where the built-in register is kept."""
    return resource_root() / "policies" / "register"


@lru_cache(maxsize=1)
def builtin() -> Register:
    """The register this version ships. Raises InvalidInput when it was damaged."""
    folder = directory()
    merged: dict[str, Any] = {}
    for name in BUILTIN:
        part = _mapping((folder / name).read_bytes(), f"policies/register/{name}")
        for key, value in part.items():
            merged[key] = [*merged[key], *value] if isinstance(value, list) and key in merged else value
    return _build(merged, "built-in")


def supplied(path: Path, sha256: str, *, shown: str, line: int = 0) -> Register:
    """A register that the operator supplies.

    Raises InvalidInput when unreadable, of another hash, unsound, or older than the built-in one.
    """

    def refuse(found: str, next_step: str = "") -> InvalidInput:
        return InvalidInput([Problem(shown, line, "register.file", found, "", next_step)])

    try:
        if path.stat().st_size > MAX_BYTES:
            raise refuse(f"{path} is larger than {MAX_BYTES:,} bytes.")
        raw = path.read_bytes()
    except OSError as error:
        raise refuse(f"{path} cannot be read: {error.strerror or error}.") from error
    actual = hashlib.sha256(raw).hexdigest()
    if actual != sha256:
        raise refuse(f"{path} has the SHA-256 {actual}.", f"register.sha256 says {sha256}: one of the two is wrong.")
    register = _build(_mapping(raw, str(path)), str(path))
    if register.as_of < builtin().as_of:
        found = f"{path} is of {register.as_of}, older than the built-in register of {builtin().as_of}."
        raise refuse(found, "Remove `register`, or supply a newer one.")
    return register


def _mapping(raw: bytes, name: str) -> dict[str, Any]:
    try:
        data = parse(raw)
    except yaml.YAMLError as error:
        raise InvalidInput([Problem(name, 0, "", f"is not YAML: {str(error).splitlines()[0]}.")]) from error
    if not isinstance(data, dict):
        raise InvalidInput([Problem(name, 0, "", "is no register: a mapping is expected.")])
    return data


def _build(data: dict[str, Any], origin: str) -> Register:
    try:
        parsed = RegisterFile.model_validate(data)
    except ValidationError as error:
        problems = [
            Problem(origin, 0, ".".join(str(part) for part in item["loc"]), item["msg"]) for item in error.errors()
        ]
        raise InvalidInput(problems) from error
    canonical = json.dumps(parsed.model_dump(mode="json", by_alias=True), sort_keys=True, ensure_ascii=False)
    return Register(parsed, hashlib.sha256(canonical.encode()).hexdigest(), origin)
