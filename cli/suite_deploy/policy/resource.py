# SPDX-License-Identifier: MIT
"""One cloud resource as rules see it: type, inputs and provider settings, with unknown values kept visible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final


class _Unknown:
    """A value that is only known after something was created."""

    _one: _Unknown | None = None

    def __new__(cls) -> _Unknown:
        cls._one = cls._one or super().__new__(cls)
        return cls._one

    def __repr__(self) -> str:
        return "<unknown>"


UNKNOWN: Final = _Unknown()


@dataclass(frozen=True, slots=True)
class Resource:
    """A registered resource. Property names are camelCase, as the engine passes them."""

    type: str
    urn: str
    props: Mapping[str, Any]
    #: inputs of the provider that manages it (region, authUrl, endpoints …)
    provider: Mapping[str, Any] = field(default_factory=dict)

    @property
    def package(self) -> str:
        """`openstack` of `openstack:networking/network:Network`."""
        return self.type.partition(":")[0]

    @property
    def name(self) -> str:
        """The logical name at the end of the URN."""
        return self.urn.rpartition("::")[2]

    def items(self) -> Iterator[tuple[str, Any]]:
        """Every property at every depth, with its path."""
        yield from walk(self.props)


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of nested maps and lists as (path, value)."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from walk(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from walk(item, f"{path}[{index}]")
    else:
        yield path, value
