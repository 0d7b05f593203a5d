# SPDX-License-Identifier: MIT
"""The files of this checkout, as tests look at them."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
#: never part of the project, wherever they stand
FOREIGN = {".git", ".ansible", ".mypy_cache", ".pytest_cache", ".ruff_cache", "__pycache__", "build", "dist"}


@cache
def files() -> tuple[Path, ...]:
    """Every file that is or is about to be in the repository; all files when this is no git checkout."""
    listed = subprocess.run(
        # The owner of the checkout may be another user than the one who tests it.
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        found = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        found = []
        for folder, folders, names in os.walk(ROOT):
            folders[:] = [name for name in folders if name not in FOREIGN]
            found += [Path(folder, name) for name in names]
    return tuple(sorted(path for path in found if path.is_file() and not path.is_symlink()))


@cache
def text(path: Path) -> str:
    """A file's content; empty when it is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def module_at(path: Path, name: str | None = None) -> ModuleType:
    """A file outside every package, run as a module; name: its own, the file's when None."""
    spec = spec_from_file_location(name or path.stem, path)
    assert spec and spec.loader, f"{path} is no module"
    module = module_from_spec(spec)
    # dataclasses look their module up
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def relative(path: Path) -> str:
    """A path as it is written in messages."""
    return path.relative_to(ROOT).as_posix()


def is_script(path: Path, *interpreters: str) -> bool:
    """Whether a file's first line starts one of these interpreters."""
    first = text(path).partition("\n")[0]
    return first.startswith("#!") and first.split("/")[-1].split()[-1] in interpreters
