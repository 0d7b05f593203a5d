# SPDX-License-Identifier: MIT
"""Files that are written whole or not at all, and what is said where they may not be written."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import CouldNotRun


def write_whole(path: Path, content: str, mode: int, *, folder_mode: int = 0o755) -> None:
    """Replace a file's content at once, in UTF-8; whoever reads it sees the old text or the new one.

    mode: the file's rights from its first byte on. folder_mode: those of its folder, if it has to be made. The umask
    takes from both. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=folder_mode)
    # a name of its own: `preview` holds no lock and may write beside an `up`
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def writable(state: Path) -> Iterator[None]:
    """Raise CouldNotRun for what may not be written below the state directory."""
    try:
        yield
    except PermissionError as error:
        raise CouldNotRun(
            f"{error.filename}: {error.strerror}.\n  The state of this suite, {state}, is of another user:"
            " run this as that user, or give the folder to yours."
        ) from error
