# SPDX-License-Identifier: MIT
"""Names of properties that say where something is, across providers."""

import re

#: a property that decides about the place of a resource or of the requests that make it
PLACE_KEY = re.compile(r"(?:region|zone|subregion|authUrl|endpoint)", re.IGNORECASE)
#: a property that names a further place: where copies, backups or network parts go, or come from
SECOND_REGION_KEY = re.compile(
    r"(?:backup|replica\w*|destination|target|copy|peer|secondary|source)[^.]*region|\bregions?(?:Attributes|Status)?\b(?:\[|s)|"
    r"(?:backup|replica\w*|destination|target|copy|peer|secondary)\S*\.region(?:Name)?$|\bregions\b",
    re.IGNORECASE,
)
