# SPDX-License-Identifier: MIT
"""The operator's price table, `prices.yml` beside suite.yml; a price that is not in it is unknown, never invented."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import Field

from ..errors import InvalidInput
from ..model.strict import Strict
from ..model.validation import validate
from ..model.yamlfile import load_yaml
from .need import Size, disks_of, flavor_of, is_host, size_of
from .plan import Step, kind_of, last_of

FILE = "prices.yml"
#: hours a month is billed as where a price is by the hour; a table may say otherwise
HOURS = 730.0


#: last part of an engine's type → key of the table, what a person calls it: sold by the piece
BY_PIECE: Mapping[str, tuple[str, str]] = {
    "FloatingIp": ("public_address", "public addresses"),
    "PublicIp": ("public_address", "public addresses"),
    "Gateway": ("gateway", "gateways"),
    "NatService": ("nat_service", "NAT services"),
    "Router": ("router", "routers"),
    "Image": ("image", "uploaded images"),
}
#: sold by what they come to hold
BY_CONTENT = frozenset({"Container", "Storage", "Bucket"})
#: sold by flavor and by size
BY_SIZE = frozenset({"Instance", "Vm", "Volume"})
#: names, rules, keys and joints: nothing is rented with them. Whatever stands nowhere here has an unknown price.
NOT_SOLD = frozenset(
    {
        "ApplicationCredential",
        "Ec2CredentialV3",
        "FloatingIpAssociate",
        "InternetService",
        "Keypair",
        "Net",
        "Network",
        "NetworkPrivate",
        "NetworkPrivateSubnetV2",
        "Port",
        "ProjectRegion",
        "RecordSet",
        "RouteTable",
        "RouterInterface",
        "S3Credential",
        "S3Policy",
        "SecGroup",
        "SecGroupRule",
        "SecurityGroup",
        "ServerGroup",
        "Subnet",
        "User",
        "VolumeAttach",
        "VolumeLink",
        "ZoneRecord",
    }
)
#: the engine's own, and components that only group others
_NOTHING = ("pulumi:", "suite:")


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
    gateway: Rate | None = None  #: one gateway of OVHcloud
    nat_service: Rate | None = None  #: one NAT service of Outscale
    router: Rate | None = None  #: one router of OpenStack
    image: Rate | None = None  #: one image that the stack uploads
    objects: float | None = Field(default=None, ge=0)  #: one GiB in buckets for a month; how many, nobody knows before


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
    if not path.exists():
        return None
    file = load_yaml(path)
    prices, problems = validate(Prices, file.data, file.place)
    if prices is None:
        raise InvalidInput(problems)
    return prices


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
        price, name = _by_piece(step, prices)
        if price is None:
            unknown.add(name)
        total += price or 0
        for disk in disks_of(step.type, step.inputs):
            per_gib = prices.volumes.get(disk.type or "default")
            if per_gib is None:
                unknown.add(f"volume type {disk.type or 'default'}")
            total += (per_gib or 0) * disk.gib
    # Of a plan in which nothing has a price, 0 would be an invented one.
    amount = None if unknown and not total else round(total, 2)
    return Cost(amount, prices.currency, prices.as_of, prices.source, tuple(sorted(unknown)))


def _by_piece(step: Step, prices: Prices) -> tuple[float | None, str]:
    """Price of a month of what a step is about besides flavor and size, None when nobody knows it; and its name."""
    last = last_of(step.type)
    if step.type.startswith(_NOTHING) or last in BY_SIZE or last in NOT_SOLD:
        return 0.0, ""
    if last in BY_PIECE:
        key, name = BY_PIECE[last]
        return _month(getattr(prices, key), prices), name
    if last in BY_CONTENT and prices.objects is not None:
        return None, f"objects in buckets ({prices.objects:g} {prices.currency} for a GiB)"
    return None, "objects in buckets" if last in BY_CONTENT else kind_of(step.type)


def _month(rate: Rate | None, prices: Prices) -> float | None:
    if rate is None or (rate.month is None and rate.hour is None):
        return None
    return rate.month if rate.month is not None else (rate.hour or 0) * prices.hours_per_month
