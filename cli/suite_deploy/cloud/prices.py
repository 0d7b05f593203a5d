# SPDX-License-Identifier: MIT
"""The operator's price table, `prices.yml` beside suite.yml; a price that is not in it is unknown, never invented."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import yaml
from pydantic import Field, ValidationError

from ..errors import InvalidInput, Problem
from ..model.component import Strict
from .need import Size, disks_of, flavor_of, is_host, size_of
from .plan import Step

FILE = "prices.yml"
#: hours a month is billed as where a price is by the hour; a table may say otherwise
HOURS = 730.0


class Rate(Strict):
    """A price of one thing, by the hour or by the month."""

    hour: float | None = Field(default=None, ge=0)  #: for an hour
    month: float | None = Field(default=None, ge=0)  #: for a month


class Prices(Strict):
    """A dated price list of one cloud, as the operator's contract has it."""

    schema_: int = Field(alias="schema", ge=1, le=1)  #: version of this file's schema
    as_of: date  #: day the prices were read
    source: str = Field(min_length=1)  #: where they are from: contract, price list
    currency: str = Field(pattern=r"^[A-Z]{3}$")  #: ISO 4217
    hours_per_month: float = Field(default=HOURS, gt=0)  #: where a price is by the hour
    flavors: dict[str, Rate] = {}  #: flavor → price
    volumes: dict[str, float] = {}  #: volume type → price of one GiB for a month; `default` for the cloud's default
    public_address: Rate | None = None  #: one public address


@dataclass(frozen=True)
class Cost:
    """Cost of a month. amount: of what is known; unknown: what has no price, as sentences; None: nothing is known."""

    amount: float | None
    currency: str = ""
    as_of: date | None = None
    source: str = ""
    unknown: tuple[str, ...] = ()


def read_prices(directory: Path) -> Prices | None:
    """The table beside suite.yml, None when there is none. Raises InvalidInput with every problem of the file."""
    path = directory / FILE
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Prices.model_validate(content)
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise InvalidInput(
            Problem(str(path), 0, ".".join(map(str, item["loc"])), str(item["msg"])) for item in error.errors()
        ) from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InvalidInput([Problem(str(path), 0, "", f"cannot be read: {str(error).splitlines()[0]}")]) from None


def monthly(steps: Iterable[Step], prices: Prices | None, known: Mapping[str, Size]) -> Cost:
    """What the cloud would bill for a month once the plan is carried out. known: flavors by name and id."""
    if prices is None:
        return Cost(None, unknown=(f"there is no {FILE} beside suite.yml",))
    total, unknown = 0.0, set()
    for step in steps:
        if step.action == "remove":
            continue
        if is_host(step):
            flavor = flavor_of(step.inputs)
            size = size_of(flavor, known)
            price = _month(prices.flavors.get(size.name if size else flavor), prices)
            if price is None:
                unknown.add(f"flavor {size.name if size else flavor or step.name}")
            total += price or 0
        if step.kind == "public address":
            price = _month(prices.public_address, prices)
            if price is None:
                unknown.add("public addresses")
            total += price or 0
        for disk in disks_of(step.type, step.inputs):
            per_gib = prices.volumes.get(disk.type or "default")
            if per_gib is None:
                unknown.add(f"volume type {disk.type or 'default'}")
            total += (per_gib or 0) * disk.gib
    # Of a plan in which nothing has a price, 0 would be an invented one.
    amount = None if unknown and not total else round(total, 2)
    return Cost(amount, prices.currency, prices.as_of, prices.source, tuple(sorted(unknown)))


def _month(rate: Rate | None, prices: Prices) -> float | None:
    if rate is None or (rate.month is None and rate.hour is None):
        return None
    return rate.month if rate.month is not None else (rate.hour or 0) * prices.hours_per_month
