# SPDX-License-Identifier: MIT
"""Profiles as data: which labels, which places, which hosts; and what a fork adds to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal, TypeVar

from pydantic import Field, ValidationError

from ..errors import InvalidInput, Problem
from ..model.strict import Strict
from ..paths import resource_root
from .findings import Level
from .register_schema import Confidence
from .yamldata import parse

LISTS_FILE = "known-hosts.yml"


class Hosts(Strict):
    """Host patterns, or names of lists in known-hosts.yml."""

    #: hosts that rendered configuration may name besides the suite's own and the declared ones
    hosts: tuple[str, ...] = ()
    registries: tuple[str, ...] = ()
    acme: tuple[str, ...] = ()
    mail: tuple[str, ...] = ()
    ai: tuple[str, ...] = ()
    image_sources: tuple[str, ...] = ()


class Refused(Strict):
    """What is refused by name whoever asks for it."""

    dns: tuple[str, ...] = ()
    ntp: tuple[str, ...] = ()
    registries: tuple[str, ...] = ()


class Profile(Strict):
    """One profile: a stance, not a list of rules; levels stand in each rule's metadata."""

    name: str
    title: str
    about: str
    provisional: str = ""
    labels: tuple[Literal["secnumcloud", "hds"], ...] = ()
    #: ask for a label only where the register's duties say the law does
    label_by_duty: bool = False
    #: whether `data` must say who and what
    asks_audience: bool = False
    location: Literal["eu", "eea", "any"] = "any"
    control: Literal["eu", "any"] = "any"
    #: from this confidence downwards the operator's own evidence is needed
    evidence_from: Confidence | None = None
    local: bool = False
    #: whether `register.max_age` blocks
    max_age_blocks: bool = False
    federation: tuple[Literal["closed", "peers", "open"], ...] = ("closed", "peers", "open")
    #: whether the suite's own registry (images.mirror) is the only one allowed
    own_registry: bool = False
    allow: Hosts = Hosts()
    refuse: Refused = Refused()

    @property
    def places(self) -> str:
        """Where data may lie, for people."""
        return {"eu": "the European Union", "eea": "the European Economic Area", "any": "anywhere"}[self.location]


class Settings(Strict):
    """A fork's `policies/settings.yml`: stricter levels, further hosts. Nothing here can lower anything."""

    levels: dict[str, Level] = {}
    allow: Hosts = Hosts()
    #: why the hosts above may be called, shown in reports
    because: str = Field(default="")


Lists = TypeVar("Lists", Hosts, Refused)


def names() -> tuple[str, ...]:
    """Every built-in profile."""
    folder = resource_root() / "policies" / "profiles"
    return tuple(sorted(path.stem for path in folder.glob("*.yml") if path.name != LISTS_FILE))


@lru_cache(maxsize=16)
def load(name: str) -> Profile:
    """A built-in profile with its lists resolved. Raises InvalidInput for an unknown or damaged one."""
    folder = resource_root() / "policies" / "profiles"
    path = folder / f"{name}.yml"
    if not path.is_file():
        raise InvalidInput([Problem(name, 0, "profile", "no such profile.", f"Profiles: {', '.join(names())}.")])
    try:
        raw = Profile.model_validate({"name": name, **parse(path.read_bytes())})
    except ValidationError as error:
        raise InvalidInput([Problem(str(path), 0, "", str(error))]) from error
    lists = parse((folder / LISTS_FILE).read_bytes())
    return raw.model_copy(update={"allow": _resolved(raw.allow, lists), "refuse": _resolved(raw.refuse, lists)})


def extended(profile: Profile, settings: Settings) -> Profile:
    """The profile with a fork's further hosts."""
    added = {field: (*getattr(profile.allow, field), *getattr(settings.allow, field)) for field in Hosts.model_fields}
    return profile.model_copy(update={"allow": Hosts(**added)})


def _resolved(given: Lists, lists: Mapping[str, Iterable[str]]) -> Lists:
    update = {}
    for field in type(given).model_fields:
        items: list[str] = []
        for item in getattr(given, field):
            items += lists.get(item, [item])
        update[field] = tuple(items)
    return given.model_copy(update=update)
