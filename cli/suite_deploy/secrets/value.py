# SPDX-License-Identifier: MIT
"""The type every secret travels in: printing, formatting, comparing or pickling it never shows the value."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import NoReturn


class Secret:
    """A named value that only `reveal()` shows.

    name: `<component>.<name>`. value: the text, or a function that yields it; the function is called at most once, at
    the first `reveal()`, so that values nobody needs are never decrypted.
    """

    __slots__ = ("_value", "name")

    def __init__(self, name: str, value: str | Callable[[], str]):
        self.name = name
        self._value = value

    def reveal(self) -> str:
        """The value in clear. Raises InvalidInput when it cannot be decrypted."""
        if not isinstance(self._value, str):
            self._value = self._value()
        return self._value

    def __repr__(self) -> str:
        return f"[secret:{self.name}]"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    # no __hash__: a hash of the value would outlive the object in dictionaries and caches
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.reveal().encode(), other.reveal().encode())

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"secret {self.name} cannot be pickled or copied out of the process")

    def __bool__(self) -> bool:
        return True
