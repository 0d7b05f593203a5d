# SPDX-License-Identifier: MIT
"""What every resource is told: where it lives and which tags tell it from others; typed, frozen, checked early."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pulumi.output import Unknown
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

#: how the engine says "not known yet" where it passes properties as text
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
#: the engine's own property beside ours
PROVIDER_KEY = "__provider"


def _network(value: str) -> str:
    return str(ipaddress.IPv4Network(value))


def _whole(value: Any) -> Any:
    """Numbers reach us as floating point numbers: 100.0 is meant as 100."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Cidr = Annotated[str, AfterValidator(_network)]


class Strict(BaseModel):
    """Frozen, camelCase outside and snake_case inside, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    @field_validator("*", mode="before")
    @classmethod
    def _whole_numbers(cls, value: Any) -> Any:
        return _whole(value)

    def dump(self) -> dict[str, Any]:
        """As properties of the engine: camelCase, plain values, nothing that was not given."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Inputs(Strict):
    """region: exact identifier. endpoint: URL of the API. tags: `Name` and `suite` at least, unique together."""

    region: str = Field(pattern=r"^[a-z]+(-[a-z]+)+-\d+$")
    endpoint: str
    tags: dict[str, str]

    @field_validator("endpoint")
    @classmethod
    def _trustworthy(cls, value: str) -> str:
        """https, or http to this machine itself."""
        parts = urlsplit(value)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username:
            raise ValueError(f"{value!r} is no URL of an API. Accepted: https://host/path without user and password")
        if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError(f"{value!r} is not encrypted. Accepted: https")
        return value

    @field_validator("tags")
    @classmethod
    def _named(cls, value: dict[str, str]) -> dict[str, str]:
        """What was made is found again by these two."""
        lacking = [key for key in ("Name", "suite") if not value.get(key)]
        if lacking:
            raise ValueError(f"the tags lack {' and '.join(lacking)}")
        return value

    @model_validator(mode="after")
    def _one_region(self) -> Inputs:
        """An endpoint of Outscale's own names its region: it must be the one that was asked for."""
        host = urlsplit(self.endpoint).hostname or ""
        found = re.match(r"^[a-z]+\.([a-z0-9-]+)\.outscale\.com$", host)
        if found and found.group(1) != self.region:
            raise ValueError(f"the endpoint {host} is of the region {found.group(1)}, not of {self.region}")
        return self

    @property
    def name(self) -> str:
        """What people and look-ups call it."""
        return self.tags["Name"]


def plain(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Properties without the engine's own, without nulls."""
    return {key: value for key, value in properties.items() if key != PROVIDER_KEY and value is not None}


def defaults(model: type[Inputs]) -> dict[str, Any]:
    """What properties are when they are not given."""
    fields = {name: field for name, field in model.model_fields.items() if not field.is_required()}
    made = model.model_construct(**{name: field.get_default() for name, field in fields.items()})
    return made.model_dump(mode="json", by_alias=True, exclude_none=True, include=set(fields))


def problems(model: type[Inputs], properties: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(property, what is wrong) of everything that is known by now; what is unknown yet is not judged."""
    try:
        model.model_validate(plain(properties))
    except ValidationError as error:
        return [
            (".".join(str(part) for part in item["loc"]) or "region", _sentence(item))
            for item in error.errors()
            if not has_unknown(item["input"])
        ]
    return []


def has_unknown(value: Any) -> bool:
    """Whether something in it is only known after something else was made."""
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(has_unknown(item) for item in value)
    # The engine's SDK passes the word on, or an object of its own, depending on the call.
    return isinstance(value, Unknown) or bool(value == UNKNOWN)


def _sentence(item: Any) -> str:
    if item["type"] == "extra_forbidden":
        return "is no property of this resource"
    if item["type"] == "missing":
        return "is missing"
    return str(item["msg"]).removeprefix("Value error, ")
