# SPDX-License-Identifier: MIT
"""Names of properties that say where something is, across providers. Asked for every property, so answers are kept."""

import re
from functools import lru_cache

_PLACE = re.compile(r"(?:region|zone|subregion|authUrl|endpoint)", re.IGNORECASE)
_ELSEWHERE = r"(?:backup|replica\w*|destination|target|copy|peer|secondary|source)"
_SECOND_REGION = re.compile(
    rf"{_ELSEWHERE}[^.]*region|{_ELSEWHERE}\S*\.region(?:Name)?$|\bregions(?:Attributes|Status)?\b", re.IGNORECASE
)


@lru_cache(maxsize=4096)
def says_where(name: str) -> bool:
    """Whether a property decides about the place of a resource, or of the requests that make it."""
    return _PLACE.search(name) is not None


@lru_cache(maxsize=4096)
def names_second_region(path: str) -> bool:
    """Whether a property names a further place: where copies, backups or network parts go, or come from."""
    return _SECOND_REGION.search(path) is not None
