# SPDX-License-Identifier: MIT
"""Finding an inventory and merging what it extends: maps merge, lists replace, null removes."""

from __future__ import annotations

import shlex
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InvalidInput, Problem
from ..paths import resource_root
from .yamlfile import Place, YamlFile, load_yaml

SUITE_FILE = "suite.yml"


@dataclass
class Inventory:
    """The merged content of one inventory, and where each key comes from."""

    name: str
    directory: Path
    data: dict[str, Any]
    places: dict[tuple[Hashable, ...], Place]
    #: every file that was read, most general first
    files: tuple[Path, ...] = ()
    shown_as: str = SUITE_FILE
    #: how the operator named it, for a shell: the next step to type names it the same way
    given: str = ""
    overridden: dict[tuple[Hashable, ...], list[Place]] = field(default_factory=dict)

    def place(self, path: tuple[Hashable, ...]) -> Place:
        """Where `path`, or its nearest written parent, stands."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return Place(self.shown_as, 0)


def find_inventory(wanted: str) -> Path:
    """The suite.yml of `wanted`: a file, a folder holding one, or a name under ./inventories or the built-in ones.

    Raises InvalidInput naming the places looked at.
    """
    given = Path(wanted)
    if given.is_file():
        return given
    candidates = [given / SUITE_FILE] if "/" in wanted or given.is_dir() else []
    if "/" not in wanted:
        candidates += [Path("inventories") / wanted / SUITE_FILE, resource_root() / "inventories" / wanted / SUITE_FILE]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    looked = ", ".join(dict.fromkeys(str(candidate) for candidate in candidates)) or wanted
    known = sorted(path.parent.name for path in (resource_root() / "inventories").glob(f"*/{SUITE_FILE}"))
    known += sorted(path.parent.name for path in Path("inventories").glob(f"*/{SUITE_FILE}"))
    raise InvalidInput(
        [
            Problem(
                wanted,
                0,
                "",
                "no such inventory.",
                f"Looked for: {looked}.",
                f"Inventories here: {', '.join(dict.fromkeys(known)) or 'none'}. `demo` is the built-in one.",
            )
        ]
    )


def read_inventory(wanted: str) -> Inventory:
    """Load the suite.yml of `wanted` with everything it extends.

    Raises InvalidInput for unreadable files, wrong shapes and cycles.
    """
    path = find_inventory(wanted)
    chain = _chain(path)
    merged = Inventory(path.resolve().parent.name, path.resolve().parent, {}, {}, shown_as=chain[-1].name)
    merged.given = shlex.quote(wanted)
    for item in chain:
        _merge(merged, item, merged.data, item.data, ())
    merged.data.pop("extends", None)
    merged.files = tuple(Path(item.name) for item in chain)
    return merged


def _chain(path: Path) -> list[YamlFile]:
    """The file and what it extends, most general first."""
    chain: list[YamlFile] = []
    seen: list[Path] = []
    current = path
    while True:
        seen.append(current.resolve())
        loaded = load_yaml(current, shown_as=shown(current))
        if not isinstance(loaded.data, dict):
            found = "is empty." if loaded.data is None else "is not a mapping of keys."
            raise InvalidInput([Problem(loaded.name, 1, "", found, "See docs/reference/suite.md for the keys.")])
        chain.insert(0, loaded)
        extends = loaded.data.get("extends")
        if extends is None:
            return chain
        current = _target(loaded, current, extends)
        if current.resolve() in seen:
            line = loaded.place(("extends",)).line
            loop = " → ".join(shown(item) for item in [*seen, current.resolve()])
            found = f"the chain comes back to where it was: {loop}."
            raise InvalidInput([Problem(loaded.name, line, "extends", found)])


def _target(loaded: YamlFile, current: Path, extends: Any) -> Path:
    line = loaded.place(("extends",)).line
    if not isinstance(extends, str) or not extends:
        accepted = "Accepted: a path to another suite.yml, or builtin:NAME."
        raise InvalidInput([Problem(loaded.name, line, "extends", f"{extends!r} is not accepted.", accepted)])
    if extends.startswith("builtin:"):
        target = resource_root() / "inventories" / extends.removeprefix("builtin:") / SUITE_FILE
    else:
        target = current.parent / extends
        target = target / SUITE_FILE if target.is_dir() else target
    if not target.is_file():
        raise InvalidInput([Problem(loaded.name, line, "extends", f"{extends!r}: no such file ({shown(target)}).")])
    return target


def shown(path: Path) -> str:
    """The shortest way to name a path to the person at the prompt."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _merge(
    result: Inventory, source: YamlFile, into: dict[str, Any], add: dict[str, Any], path: tuple[Hashable, ...]
) -> None:
    for key, value in add.items():
        here = (*path, key)
        if value is None and key in into:
            del into[key]
            _forget(result, here)
            continue
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            # a driver's keys make no sense under another driver: such a block replaces, it does not merge
            if "driver" in value and value["driver"] != into[key].get("driver"):
                _forget(result, here)
                into[key] = {}
            _note(result, source, here)
            _merge(result, source, into[key], value, here)
            continue
        if here in result.places:
            result.overridden.setdefault(here, []).append(result.places[here])
        _forget(result, here)
        into[key] = _copy(value)
        for known, place in source.places.items():
            if known[: len(here)] == here:
                result.places[known] = place


def _copy(value: Any) -> Any:
    """A deep copy, so that merging never changes what a file said."""
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return list(value) if isinstance(value, list) else value


def _note(result: Inventory, source: YamlFile, path: tuple[Hashable, ...]) -> None:
    if path in result.places:
        result.overridden.setdefault(path, []).append(result.places[path])
    if path in source.places:
        result.places[path] = source.places[path]


def _forget(result: Inventory, path: tuple[Hashable, ...]) -> None:
    for known in [known for known in result.places if known[: len(path)] == path]:
        del result.places[known]
