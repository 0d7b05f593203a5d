# SPDX-License-Identifier: MIT
"""Takes secret values out of text that is about to be shown or kept."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

from suite_deploy.secrets.value import Secret

#: shorter values would blank out ordinary words; no kind generates one
MIN_LENGTH = 8
#: a word of this length inside a value (the seed of a signing key) is as telling as the whole
_TELLING_WORD = 16
_PUBLIC = "-----BEGIN CERTIFICATE-----"


class Redactor:
    """Replaces every known secret in text by `[secret:<name>]`.

    Found in any of these forms: as it is, JSON-escaped, URL-encoded, base64; values of several lines (PEM) line by
    line, so that text can be fed line by line. Certificates are public and stay. The object holds the values: it is
    not to be pickled or printed.
    """

    def __init__(self, values: Mapping[str, Secret]):
        names: dict[str, str] = {}
        for name, secret in values.items():
            for form in _forms(secret.reveal()):
                names.setdefault(form, name)
        self._names = names
        # longest first: a value that contains another is replaced whole
        longest_first = sorted(names, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if names else None

    def redact(self, text: str) -> str:
        """`text` without secrets."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: f"[secret:{self._names[match[0]]}]", text)

    __call__ = redact

    def lines(self, stream: Iterable[str]) -> Iterator[str]:
        """Each line of a stream, as it comes, without secrets."""
        return map(self.redact, stream)

    def __repr__(self) -> str:
        return f"Redactor({len(set(self._names.values()))} secrets)"

    def __reduce_ex__(self, protocol: object) -> str:
        raise TypeError("a redactor holds secrets and cannot be pickled")


def _forms(value: str) -> set[str]:
    if value.startswith(_PUBLIC):
        return set()
    pieces = {value.strip(), *(line.strip() for line in value.splitlines() if not line.startswith("-----"))}
    pieces |= {word for word in value.split() if len(word) >= _TELLING_WORD and not word.startswith("-----")}
    forms: set[str] = set()
    for piece in pieces:
        forms |= {piece, json.dumps(piece)[1:-1], json.dumps(piece, ensure_ascii=False)[1:-1]}
        forms |= {quote(piece, safe=""), quote(piece), quote_plus(piece)}
        forms.add(base64.b64encode(piece.encode()).decode())
    return {form for form in forms if len(form) >= MIN_LENGTH and len(form.strip()) >= MIN_LENGTH}
