# SPDX-License-Identifier: MIT
"""Files in a suite's state that say what is there: written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import CouldNotRun


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


def write(path: Path, content: str, mode: int) -> None:
    """Replace a file's content at once; mode: the file's rights from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    temporary = path.with_name(path.name + ".tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
    temporary.replace(path)
