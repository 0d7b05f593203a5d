# SPDX-License-Identifier: MIT
"""Creation with a client token: the API itself makes a repeated request harmless, even one of an earlier run."""

from __future__ import annotations

import hashlib
from typing import TypeVar

from .base import Provider
from .client import Answer, Client
from .errors import ApiError, OutscaleError
from .inputs import Inputs

Given = TypeVar("Given", bound=Inputs)
#: tokens tried one after another: each belongs to one life of the resource
LIVES = 50
#: the API's code for a token that was used with other properties
_OTHERWISE = "4091"


class TokenProvider(Provider[Given]):
    """For kinds whose API takes a ClientToken and lists by it.

    A token is `<hash of suite and name>-<number>`. What was deleted keeps its token, so the next life takes the next
    number; asking with an old token would be answered with what is gone.
    """

    def send(self, client: Client, inputs: Given, token: str) -> Answer:
        """Ask the API for it with this token."""
        raise NotImplementedError

    def make(self, client: Client, inputs: Given) -> Answer:
        used = {str(item.get("ClientToken")) for item in self._by_token(client, inputs)}
        free = [token for token in _tokens(inputs, self.kind) if token not in used]
        for token in free:
            try:
                made = self.send(client, inputs, token)
            except ApiError as error:
                if error.code != _OTHERWISE:
                    raise
                continue
            if made.get("State") not in self.gone:
                return made
        raise OutscaleError(f"{self.kind} {inputs.name}: the API answers every new request with something removed")

    def lost(self, client: Client, inputs: Given) -> Answer | None:
        """What an earlier request of ours made, and that run did not live to tag."""
        return next((item for item in self._by_token(client, inputs) if item.get("State") not in self.gone), None)

    def _by_token(self, client: Client, inputs: Given) -> list[Answer]:
        return self._all(client, ClientTokens=_tokens(inputs, self.kind))


def _tokens(inputs: Inputs, kind: str) -> list[str]:
    text = f"{inputs.tags['suite']}/{kind}/{inputs.name}"
    stem = hashlib.sha256(text.encode()).hexdigest()[:32]
    return [f"{stem}-{number}" for number in range(1, LIVES + 1)]
