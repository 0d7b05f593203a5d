# SPDX-License-Identifier: MIT
"""What a cloud has to choose from and what is left of the quota, and how it is said that it could not be asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..errors import CouldNotRun
from ..model.deployment import Deployment
from .failures import innermost
from .need import Size

#: next steps of an error: look at the credentials, at the region, or run it again
CREDENTIALS = "What is used, without its values: suite-deploy doctor NAME"
REGION = "Compare infrastructure.region with the cloud's own list; regions are case-sensitive."
AGAIN = "Nothing was touched. Run the same command again once it answers; see suite-deploy doctor NAME."


class WrongSetting(CouldNotRun):
    """A setting of `infrastructure` that the cloud knows to be wrong; the text begins with it. key: its last part."""

    def __init__(self, key: str, text: str) -> None:
        self.key = key
        super().__init__(f"infrastructure.{key}: {text}")


@contextmanager
def placed(deployment: Deployment) -> Iterator[None]:
    """Say of a wrong setting where it was written."""
    try:
        yield
    except WrongSetting as error:
        place = deployment.place("infrastructure", error.key)
        error.args = (f"{place.file}:{place.line}: {error}",)
        raise


@dataclass(frozen=True)
class Left:
    """What a quota allows and what is in use. limit: None when there is none."""

    limit: int | None
    used: int

    @property
    def free(self) -> int | None:
        """What may still be taken; None: as much as wanted."""
        return None if self.limit is None else max(self.limit - self.used, 0)


@dataclass(frozen=True)
class Room:
    """What a cloud has.

    flavors: by name and by id. left: what is counted → quota. silent: why something is absent. flavor_form: how a
    flavor is written at a cloud that is not asked for its list. closed: whether the project has yet to open the region,
    so that nobody can say what it has. volume_types: name or id → name. host_zones, volume_zones: names of zones that
    hosts and volumes may lie in; None, like `volume_types`: not asked, or not listed. image_gib: of the disk that the
    cloud's own image needs, 0 where nobody says. project: identifier of the credentials' project; "": not known.
    """

    flavors: Mapping[str, Size] = field(default_factory=dict)
    left: Mapping[str, Left] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    flavor_form: str = ""
    closed: bool = False
    volume_types: Mapping[str, str] | None = None
    host_zones: frozenset[str] | None = None
    volume_zones: frozenset[str] | None = None
    image_gib: int = 0
    project: str = ""

    @property
    def sizes(self) -> tuple[Size, ...]:
        """Every flavor once, the smallest first."""
        return tuple(sorted(set(self.flavors.values()), key=lambda size: (size.vcpus, size.memory_mib, size.name)))


def said(where: str, what: str, error: Exception, step: str) -> str:
    """An error of a cloud for a person. where, what: the first line; step: the last one, "" for none."""
    text = str(error).strip().splitlines()
    return "\n".join(
        f"  {line}" if index else line
        for index, line in enumerate(
            filter(None, [f"{where}: {what}", innermost(text[0]) if text else type(error).__name__, step])
        )
    )
