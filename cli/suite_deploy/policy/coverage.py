# SPDX-License-Identifier: MIT
"""The list of resource types that were looked at: `policies/pack/resource-types.yml`."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Literal

from pydantic import Field

from ..model.strict import Strict
from ..paths import resource_root
from .yamldata import parse


class ResourceType(Strict):
    """One type. service: which service of an offer it uses; None: plumbing that no offer names."""

    judged: Literal["checked", "harmless"]
    service: str | None = None
    why: str = ""


class Coverage(Strict):
    """The file as written."""

    types: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+:[^:]*:[^:]+$")], ResourceType]


@lru_cache(maxsize=1)
def types() -> dict[str, ResourceType]:
    """Every listed type."""
    path = resource_root() / "policies" / "pack" / "resource-types.yml"
    return Coverage.model_validate(parse(path.read_bytes())).types


def covered(kind: str) -> bool:
    """Whether a type is on the list."""
    return kind in types()


def service_of(kind: str) -> str | None:
    """The service of an offer that a type uses."""
    found = types().get(kind)
    return found.service if found else None
