# SPDX-License-Identifier: MIT
"""The public key that new hosts let in; the private one never leaves the operator's machine."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from .base import Provider
from .client import Answer, Client
from .errors import ApiError, NotUnique
from .inputs import Inputs
from .resource import OutscaleResource

#: stands where the account holds another key than the one that was asked for
_OTHER = "ssh-ed25519 AAAA another-key-of-this-name"


class KeypairInputs(Inputs):
    """keypair_name: unique in the account. public_key: one line as in `id_ed25519.pub`."""

    keypair_name: str = Field(min_length=1, max_length=255, pattern=r"^[ -~]+$")
    public_key: str

    @field_validator("public_key")
    @classmethod
    def one_line(cls, value: str) -> str:
        """Refuses what is no public key, above all a private one."""
        fingerprint(value)
        return value.strip()


class KeypairProvider(Provider[KeypairInputs]):
    kind = "key pair"
    inputs = KeypairInputs
    fixed = frozenset(("region", "keypairName", "publicKey"))
    collection, filter, key = "Keypairs", "KeypairIds", "KeypairId"
    ready = frozenset()

    def make(self, client: Client, inputs: KeypairInputs) -> Answer:
        encoded = base64.b64encode(inputs.public_key.encode()).decode()
        try:
            return client.once(
                lambda: _made(client.do("CreateKeypair", KeypairName=inputs.keypair_name, PublicKey=encoded)),
                lambda: self.lost(client, inputs),
            )
        except ApiError as error:
            if not error.is_conflict:
                raise
            raise NotUnique(
                f"a key pair named {inputs.keypair_name} exists with another key: rename or remove it ({error})"
            ) from None

    def lost(self, client: Client, inputs: KeypairInputs) -> Answer | None:
        found = self.listed(client, KeypairNames=[inputs.keypair_name])
        ours = [item for item in found if item.get("KeypairFingerprint") == fingerprint(inputs.public_key)]
        return ours[0] if ours else None

    def observed(self, live: Answer, given: Mapping[str, Any]) -> dict[str, Any]:
        mark = live.get("KeypairFingerprint")
        # Another key under our name is shown as gone from the property, so that it is replaced by ours.
        kept = {} if mark == fingerprint(given["publicKey"]) else {"publicKey": _OTHER}
        return {"keypairName": live.get("KeypairName"), "fingerprint": mark, **kept}

    def remove(self, client: Client, live: Answer, properties: Mapping[str, Any]) -> None:
        client.read("DeleteKeypair", KeypairId=live["KeypairId"])


class Keypair(OutscaleResource, module="outscale", name="Keypair"):
    """A public key by a name."""

    provider = KeypairProvider()
    computed = ("fingerprint",)


def fingerprint(public_key: str) -> str:
    """MD5 of the key's blob in pairs of digits (RFC 4716, section 4), as the API shows it. Raises ValueError."""
    fields = public_key.split()
    if "PRIVATE" in public_key or len(fields) < 2:
        raise ValueError("it is no public key. Accepted: one line like `ssh-ed25519 AAAA… name`")
    try:
        blob = base64.b64decode(fields[1], validate=True)
    except binascii.Error as error:
        raise ValueError("it is no public key: its second word is not base64") from error
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[index : index + 2] for index in range(0, len(digest), 2))


def _made(answer: Answer) -> Answer:
    made: Answer = answer["Keypair"]
    return made
