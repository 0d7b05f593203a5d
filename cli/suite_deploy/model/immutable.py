# SPDX-License-Identifier: MIT
"""What cannot change once a suite holds data: recorded at the first `up`, refused with the reason afterwards."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CouldNotRun, Problem
from ..files import write_whole
from .statefiles import IMMUTABLE, OUTPUTS
from .whichcloud import PROJECT, cloud_of, cloud_of_outputs, other_cloud
from .yamlfile import dotted

if TYPE_CHECKING:
    from .deployment import Deployment


def immutables(deployment: Deployment) -> dict[str, tuple[tuple[Hashable, ...], str, str]]:
    """key → (where it is written, its value, why it cannot change)."""
    return {dotted(path): (path, value, why) for path, value, why in _values(deployment)}


def _values(deployment: Deployment) -> Iterator[tuple[tuple[Hashable, ...], str, str]]:
    yield ("domain",), deployment.domain, "host names, sign-in links and certificates are built on it"
    for slug, component in sorted(deployment.components.items()):
        if component.hostname:
            yield (
                ("components", slug, "hostname"),
                component.hostname,
                "links people saved, and the sign-in service's addresses, name it",
            )
        for name, option in component.description.options.items():
            if option.immutable:
                yield ("components", slug, name), str(component.options[name]), option.description
        if component.description.needs.postgresql:
            yield (
                ("components", slug, "postgresql.locale"),
                component.description.needs.postgresql.locale,
                "a database keeps the locale it was made with",
            )


def changed_immutables(deployment: Deployment) -> list[Problem]:
    """Problems for every recorded value that the inventory now contradicts; none before the first `up`.

    Raises CouldNotRun when the record cannot be read.
    """
    recorded = _read(deployment.state_dir / IMMUTABLE)
    problems = other_cloud(deployment, recorded_cloud(deployment.state_dir), deployment.state_dir / IMMUTABLE)
    for key, (path, value, why) in immutables(deployment).items():
        if key in recorded and recorded[key] != value:
            where = deployment.place(*path)
            found = f"{value!r}, but this suite was made with {recorded[key]!r}, and that cannot change: {why}."
            next_step = f"Put {recorded[key]!r} back, or make a new suite under another name."
            problems.append(Problem(where.file, where.line, key, found, "", next_step))
    return problems


def recorded_cloud(state: Path) -> dict[str, str]:
    """Which cloud the suite of a state directory lies on, as far as this machine knows; among other keys.

    Raises CouldNotRun when the record cannot be read.
    """
    # An older version kept no record: what the driver made says it then.
    return _cloud_of_outputs(state / OUTPUTS) | _read(state / IMMUTABLE)


def _cloud_of_outputs(path: Path) -> dict[str, str]:
    try:
        made = json.loads(path.read_text(encoding="utf-8"))
        return cloud_of_outputs(made["driver"], made.get("facts", {}))
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        # what else is wrong with it is said by whoever needs the rest of it
        return {}


def record_cloud(deployment: Deployment, project: str = "") -> None:
    """Note which cloud this is, before the first thing is made there. project: of the credentials, where known."""
    _add(deployment.state_dir / IMMUTABLE, cloud_of(deployment) | ({PROJECT: project} if project else {}))


def record_immutables(deployment: Deployment) -> None:
    """Note today's values for keys not noted yet."""
    values = {key: value for key, (_, value, _) in immutables(deployment).items()}
    _add(deployment.state_dir / IMMUTABLE, cloud_of(deployment) | values)


def _add(path: Path, values: Mapping[str, str]) -> None:
    recorded = _read(path)
    wanted = {**values, **recorded}
    if wanted != recorded:
        write_whole(path, json.dumps(wanted, indent=2, sort_keys=True) + "\n", 0o644)


def _read(path: Path) -> dict[str, str]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, PermissionError):
        return {}
    except (OSError, ValueError) as error:
        raise CouldNotRun(f"{path}: cannot be read: {error}") from error
