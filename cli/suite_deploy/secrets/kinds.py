# SPDX-License-Identifier: MIT
"""How each kind of secret is made: every value on its own, from the system's random source."""

from __future__ import annotations

import base64
import secrets
import string
from collections.abc import Callable, Mapping

from suite_deploy.secrets import authority
from suite_deploy.secrets.value import Secret
from suite_deploy.secrets.wanted import AUTHORITY_KEY, SecretWanted

#: letters and digits only: the value goes unescaped into URLs, INI files, SQL and shell-like env files. 190 bits.
_PASSWORD_ALPHABET = string.ascii_letters + string.digits
_PASSWORD_LENGTH = 32


def _password() -> str:
    return "".join(secrets.choice(_PASSWORD_ALPHABET) for _ in range(_PASSWORD_LENGTH))


def _hex64() -> str:
    return secrets.token_hex(32)


def _fernet() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _matrix_signing_key() -> str:
    """`ed25519 a_XXXX <seed>`: algorithm, key version, unpadded base64 of the 32-byte seed."""
    version = "".join(secrets.choice(string.ascii_letters) for _ in range(4))
    seed = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    return f"ed25519 a_{version} {seed}"


def _rsa_private_key() -> str:
    from cryptography.hazmat.primitives.asymmetric import rsa

    # 3072 bits: the size ANSSI's guide asks for beyond 2030
    return authority.private_key_pem(rsa.generate_private_key(public_exponent=65537, key_size=3072))


_STANDALONE: Mapping[str, Callable[[], str]] = {
    "password": _password,
    "hex64": _hex64,
    "fernet": _fernet,
    "matrix_signing_key": _matrix_signing_key,
    "rsa_private_key": _rsa_private_key,
    "ca_key": authority.new_key,
}


def generate(wanted: SecretWanted, known: Mapping[str, Secret]) -> Secret:
    """A new value of this kind.

    known: what exists already; the authority's certificate is made from its key. Raises KeyError when that key is
    missing, ValueError for a kind that is never generated.
    """
    if wanted.kind == "ca_certificate":
        key = known[AUTHORITY_KEY].reveal()
        return Secret(wanted.name, authority.new_certificate(key, subject=wanted.subject, domains=wanted.domains))
    make = _STANDALONE.get(wanted.kind)
    if make is None:
        raise ValueError(f"{wanted.name}: kind {wanted.kind} is given by the operator, not generated")
    return Secret(wanted.name, make())
