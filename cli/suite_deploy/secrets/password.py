# SPDX-License-Identifier: MIT
"""The vault password: a file, or a program that prints it, exactly as Ansible takes it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from suite_deploy.errors import CouldNotRun, InvalidInput, Problem
from suite_deploy.runners.process import capture

VARIABLE = "ANSIBLE_VAULT_PASSWORD_FILE"
OPTION = "--vault-password-file"
#: seconds a password program may take: it may ask a person or a hardware token
_PROGRAM_TIMEOUT = 120


@dataclass(frozen=True)
class VaultPassword:
    """A vault password and where it came from; the password is not part of the representation."""

    source: str
    value: bytes = field(repr=False)


def find_vault_password(option: Path | None, environ: Mapping[str, str] = os.environ) -> VaultPassword | None:
    """The password named by the option, else by ANSIBLE_VAULT_PASSWORD_FILE, else None.

    An executable file is run and its output taken; one whose name ends in `-client` gets `--vault-id default`. Raises
    InvalidInput when the file is missing, empty, readable by everyone, or the program fails.
    """
    named = str(option) if option else environ.get(VARIABLE, "")
    if not named:
        return None
    path = Path(named).expanduser()
    # the command line hands over what the variable says as if it were the option
    key = OPTION if option and str(option) != environ.get(VARIABLE) else VARIABLE
    if path.is_dir():
        raise _invalid(path, key, "is a folder.", "Name the file in it that holds the password.")
    if not path.is_file():
        raise _invalid(path, key, "there is no such file.")
    # a password that is public protects nothing; a program may be
    if os.access(path, os.X_OK):
        value = _from_program(path, key)
    elif path.stat().st_mode & 0o004:
        raise _invalid(path, key, "every user of this machine can read it.", f"Run: chmod 600 {path}")
    else:
        try:
            value = path.read_bytes().strip()
        except OSError as error:
            raise _invalid(path, key, f"cannot be read: {error.strerror}.") from error
    if not value:
        raise _invalid(path, key, "gave an empty password.")
    return VaultPassword(f"{path} ({key})", value)


def _from_program(path: Path, key: str) -> bytes:
    arguments = [str(path.resolve())]
    if path.stem.endswith("-client"):
        arguments += ["--vault-id", "default"]
    try:
        # with the whole environment: the program may need its own token or agent socket
        return capture(arguments, environment=os.environ, timeout=_PROGRAM_TIMEOUT).strip("\r\n").encode()
    except CouldNotRun as error:
        raise _invalid(path, key, f"gave no password: {error}", "Run it by hand to see why.") from error


def _invalid(path: Path, key: str, found: str, next_step: str = "") -> InvalidInput:
    return InvalidInput([Problem(str(path), 0, key, found, next_step=next_step)])
