# SPDX-License-Identifier: MIT
"""Files in a suite's state that say what is there: written whole or not at all, and read back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import CouldNotRun
from ..model.outputs import HostOutput, StackOutputs


def outputs_from_json(text: str) -> StackOutputs:
    """What `apply` recorded. Raises ValueError, KeyError or TypeError for anything else."""
    data: dict[str, Any] = json.loads(text)
    hosts = tuple(HostOutput(**{**host, "groups": tuple(host["groups"])}) for host in data.pop("hosts"))
    paths: dict[str, Any] = {name: Path(data.pop(name)) for name in ("ssh_private_key", "ssh_known_hosts")}
    rest: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    return StackOutputs(hosts=hosts, **paths, **rest)


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
