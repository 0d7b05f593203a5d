# SPDX-License-Identifier: MIT
"""Builds contract doubles into the machine's image cache and pins them in a lock: `python -m tests.doubles.build`.

A double is named by its folder and, where a folder makes several images, by the rest of the recipe's name:
`name` for tests/doubles/name/image.yml, `name/variant` for tests/doubles/name/image-variant.yml.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from suite_deploy.errors import InvalidInput, Problem, SuiteError
from suite_deploy.images.builder import build, is_built, required_packages
from suite_deploy.images.lock import Pin, now, read_lock, write_lock
from suite_deploy.images.packages import install
from suite_deploy.images.recipe import DOUBLE_LABEL, Recipe, load_recipe
from suite_deploy.images.resolve import CACHE
from suite_deploy.images.store import Progress, Store
from suite_deploy.paths import machine_cache

FOLDER = Path(__file__).resolve().parent


def recipes(folder: Path = FOLDER) -> dict[str, Recipe]:
    """Every double's recipe by its name. Raises InvalidInput for one without the label, or with another's image."""
    found = {double_name(path): load_recipe(path) for path in sorted(folder.glob("*/image*.yml"))}
    problems: list[Problem] = []
    images: dict[str, str] = {}
    for name, recipe in found.items():
        where = str(recipe.path)
        if recipe.content.config.labels.get(DOUBLE_LABEL) != "true":
            wanted = f'A double says what it is: {DOUBLE_LABEL}: "true".'
            problems.append(Problem(where, 0, "config.labels", f"{DOUBLE_LABEL} is missing.", wanted))
        if recipe.reference in images:
            problems.append(Problem(where, 0, "image", f"{recipe.reference} is {images[recipe.reference]}'s already."))
        images[recipe.reference] = name
    if problems:
        raise InvalidInput(problems)
    return found


def double_name(path: Path) -> str:
    """What the double of a recipe file is called."""
    variant = path.stem.removeprefix("image").removeprefix("-")
    return f"{path.parent.name}/{variant}" if variant else path.parent.name


def pin(lock: Path, names: Sequence[str] = (), progress: Progress = print, folder: Path = FOLDER) -> list[str]:
    """Build doubles (all of them when none is named) and pin them in `lock`, keeping its other pins.

    names: doubles, or folders for all they hold. Returns the images' `name:tag`.
    Raises InvalidInput for an unknown name or a recipe that is no double, CouldNotRun when building fails.
    """
    known = recipes(folder)
    chosen = {name: recipe for name, recipe in known.items() if not names or _meant(name, names)}
    unknown = [each for each in names if not any(_meant(name, [each]) for name in known)]
    if unknown:
        accepted = f"Doubles: {', '.join(known) or 'none'}."
        raise InvalidInput([Problem(str(folder), 0, each, "is no double.", accepted) for each in unknown])
    store = Store(machine_cache() / CACHE)
    made: dict[str, Pin] = {}
    for name, recipe in chosen.items():
        started = time.monotonic()
        if is_built(store, recipe) is None:
            install(required_packages(recipe), progress)
        built = build(store, recipe, progress)
        progress(f"{name}: {built.reference} in {time.monotonic() - started:.1f} s")
        made[built.reference] = Pin(digest=built.digest, origin="double", resolved=now())
    write_lock(lock, {**read_lock(lock), **made})
    return sorted(made)


def _meant(name: str, asked: Sequence[str]) -> bool:
    return name in asked or name.partition("/")[0] in asked


def main(words: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.doubles.build", description=__doc__)
    parser.add_argument("--lock", type=Path, required=True, help="the images.lock.yml to write the pins into")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="doubles, or folders of doubles; all of them when omitted"
    )
    options = parser.parse_args(words)
    if os.geteuid() != 0:
        parser.error("the machine's image cache belongs to root")
    try:
        pin(options.lock, options.names)
    except SuiteError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
