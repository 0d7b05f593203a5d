# SPDX-License-Identifier: MIT
"""Who signs in during a verification."""

from __future__ import annotations

from dataclasses import dataclass

from ..secrets.value import Secret


@dataclass(frozen=True)
class Person:
    """An account of the identity provider."""

    username: str
    password: Secret


#: what the fixture `people` yields: two persons who may write to each other
People = tuple[Person, Person]
