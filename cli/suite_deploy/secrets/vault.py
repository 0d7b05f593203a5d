# SPDX-License-Identifier: MIT
"""Ansible Vault's text format, versions 1.1 and 1.2 (AES256): read and written without Ansible, which is a process.

Each value has its own salt, so each costs one key derivation: PBKDF2-HMAC-SHA256 with 10,000 rounds for 80 bytes, about
10 ms in C. Callers decrypt lazily and keep the result.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import os
import textwrap

HEADER = "$ANSIBLE_VAULT"
_ROUNDS = 10_000
_SALT_BYTES = 32
_WIDTH = 80
_KEY, _MAC, _IV = 32, 32, 16


class VaultError(Exception):
    """The text is no vault value, or the password does not open it."""


def encrypt(plain: str, password: bytes, *, label: str = "") -> str:
    """The vault text of `plain`, lines ended by newlines. label: vault id, which makes it format 1.2."""
    salt = os.urandom(_SALT_BYTES)
    key, mac_key, iv = _derive(password, salt)
    body = _cipher(key, iv, _pad(plain.encode()), decrypt=False)
    mac = hmac.new(mac_key, body, hashlib.sha256).hexdigest()
    inner = "\n".join([salt.hex(), mac, body.hex()]).encode().hex()
    header = f"{HEADER};1.2;AES256;{label}" if label else f"{HEADER};1.1;AES256"
    return "\n".join([header, *textwrap.wrap(inner, _WIDTH)]) + "\n"


def decrypt(text: str, password: bytes) -> str:
    """The plain value of vault text. Raises VaultError with a reason that holds nothing of the value."""
    header, *lines = text.split() or [""]
    parts = header.split(";")
    if parts[0] != HEADER or len(parts) < 3 or parts[1] not in {"1.1", "1.2"} or parts[2] != "AES256":
        raise VaultError("not an Ansible Vault value of format 1.1 or 1.2 (AES256)")
    try:
        salt, mac, body = (binascii.unhexlify(part) for part in binascii.unhexlify("".join(lines)).split(b"\n"))
    except ValueError as error:
        raise VaultError("damaged Ansible Vault value") from error
    key, mac_key, iv = _derive(password, salt)
    if not hmac.compare_digest(hmac.new(mac_key, body, hashlib.sha256).digest(), mac):
        raise VaultError("the vault password does not open it")
    try:
        return _unpad(_cipher(key, iv, body, decrypt=True)).decode()
    except UnicodeDecodeError as error:
        raise VaultError("the decrypted value is not UTF-8 text") from error


def _derive(password: bytes, salt: bytes) -> tuple[bytes, bytes, bytes]:
    stream = hashlib.pbkdf2_hmac("sha256", password, salt, _ROUNDS, _KEY + _MAC + _IV)
    return stream[:_KEY], stream[_KEY : _KEY + _MAC], stream[_KEY + _MAC :]


def _cipher(key: bytes, iv: bytes, data: bytes, *, decrypt: bool) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    cipher = Cipher(algorithms.AES(key), modes.CTR(iv))
    context = cipher.decryptor() if decrypt else cipher.encryptor()
    return context.update(data) + context.finalize()


def _pad(data: bytes) -> bytes:
    from cryptography.hazmat.primitives.padding import PKCS7

    padder = PKCS7(128).padder()
    return padder.update(data) + padder.finalize()


def _unpad(data: bytes) -> bytes:
    from cryptography.hazmat.primitives.padding import PKCS7

    unpadder = PKCS7(128).unpadder()
    return unpadder.update(data) + unpadder.finalize()
