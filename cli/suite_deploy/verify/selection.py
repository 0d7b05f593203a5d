# SPDX-License-Identifier: MIT
"""Which checks `--only` means."""

from __future__ import annotations

from fnmatch import fnmatchcase


def matches(identity: str, pattern: str) -> bool:
    """Whether a check is meant: its group, a part of its name, or a shell pattern over the whole name.

    `*`, `?` are wildcards; brackets are not, because they stand in names (`facts/units/…[app-1]`).
    """
    if "*" in pattern or "?" in pattern:
        return fnmatchcase(identity, pattern.replace("[", "[[]"))
    return pattern in identity
