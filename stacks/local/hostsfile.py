# SPDX-License-Identifier: MIT
"""The suite's names in the outer machine's /etc/hosts, between markers.

Every line inside also ends with the suite's tag, so that lines are recognised as ours even when a marker was lost.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

HOSTS_FILE = Path("/etc/hosts")


def with_block(text: str, suite: str, names: Mapping[str, str]) -> str:
    """`text` with exactly one block for the suite, holding `names` (name → address); none when there are no names."""
    rest = _without_ours(text, suite)
    if not names:
        return rest
    if rest and not rest.endswith("\n"):
        rest += "\n"
    lines = [f"{address}\t{name}\t{_tag(suite)}" for name, address in sorted(names.items())]
    return rest + "\n".join([_begin(suite), *lines, _end(suite)]) + "\n"


def update(suite: str, names: Mapping[str, str], path: Path = HOSTS_FILE) -> bool:
    """Bring the file in line; returns whether it changed."""
    try:
        # Other people's lines may hold any bytes: they come back as they were.
        before = path.read_bytes().decode("utf-8", errors="surrogateescape")
    except FileNotFoundError:
        before = ""
    after = with_block(before, suite, names)
    if after == before:
        return False
    _replace(path.resolve(), after.encode("utf-8", errors="surrogateescape"))
    return True


def _begin(suite: str) -> str:
    return f"# BEGIN suite-deploy {suite}"


def _end(suite: str) -> str:
    return f"# END suite-deploy {suite}"


def _tag(suite: str) -> str:
    return f"# suite-deploy:{suite}"


def _without_ours(text: str, suite: str) -> str:
    kept = [
        line
        for line in re.findall(r"[^\n]*\n|[^\n]+", text)
        if line.strip() not in (_begin(suite), _end(suite)) and not line.rstrip().endswith(_tag(suite))
    ]
    return "".join(kept)


def _replace(path: Path, content: bytes) -> None:
    mode = path.stat().st_mode & 0o7777 if path.exists() else 0o644
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".hosts.")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            Path(temporary).replace(path)
        except OSError:
            # In a container /etc/hosts is itself a mount: it can be written but not replaced.
            path.write_bytes(content)
    finally:
        Path(temporary).unlink(missing_ok=True)
