# SPDX-License-Identifier: MIT
"""`images.lock.yml`: the digest that each image's tag stands for, and where it came from.

images:
  quay.io/keycloak/keycloak:26.7.3: {digest: sha256:…, origin: registry, resolved: 2026-11-22T05:17:39+00:00}
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from ..errors import InvalidInput, Problem
from ..model.strict import Strict
from ..model.validation import validate
from ..model.yamlfile import load_yaml
from .store import write_atomically

if TYPE_CHECKING:
    from ..model.deployment import Deployment

ALLOW_DOUBLES = "SUITE_DEPLOY_ALLOW_DOUBLES"
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
HEADER = """\
# SPDX-License-Identifier: MIT
# Which digest each image's tag stands for. Written by suite-deploy; a tag never reaches a unit.
"""


#: what a component runs on; of several images' origins, the first in this order speaks for it
Origin = Literal["double", "recipe", "registry"]
ORIGINS: tuple[Origin, ...] = ("double", "recipe", "registry")


class Pin(Strict):
    """One image.

    recipe: key of the recipe it was built from; a changed recipe makes the pin out of date. mirror: the registry that
    was asked for the digest, `host[:port][/path]`, when it was not the image's own.
    """

    digest: Digest
    origin: Origin
    resolved: datetime
    recipe: str | None = None
    mirror: str | None = None

    @field_validator("resolved", mode="before")
    @classmethod
    def _with_zone(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, datetime) and value.tzinfo is None:
            return value.replace(tzinfo=UTC)
        return value


class LockFile(Strict):
    """The file as written."""

    images: dict[str, Pin] = {}


def read_lock(path: Path) -> dict[str, Pin]:
    """Pins by `name:tag`; none when there is no file. Raises InvalidInput with every problem in it."""
    if not path.exists():
        return {}
    loaded = load_yaml(path)
    content, problems = validate(LockFile, loaded.data, loaded.place)
    if content is None:
        raise InvalidInput(problems)
    return dict(content.images)


def write_lock(path: Path, pins: Mapping[str, Pin]) -> None:
    """Replace the lock file as a whole; the same pins give the same bytes."""
    lines = [HEADER, "images:\n" if pins else "images: {}\n"]
    for name, pin in sorted(pins.items()):
        lines.append(f"  {name}:\n    digest: {pin.digest}\n    origin: {pin.origin}\n")
        lines.append(f"    resolved: {pin.resolved.isoformat(timespec='seconds')}\n")
        if pin.recipe:
            lines.append(f"    recipe: {pin.recipe}\n")
        if pin.mirror:
            lines.append(f"    mirror: {pin.mirror}\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, "".join(lines).encode())


def now() -> datetime:
    """This moment, to the second, as it is written into locks."""
    return datetime.now(UTC).replace(microsecond=0)


def doubles_allowed() -> bool:
    """Whether images that only stand in for the real ones may run: in this project's own tests."""
    return os.environ.get(ALLOW_DOUBLES) == "1"


def refuse_doubles(path: Path, pins: Mapping[str, Pin]) -> None:
    """Raise InvalidInput when a pin is a test stand-in and this is no test."""
    if doubles_allowed():
        return
    found = "is pinned to a test double, an image that only pretends to be the application."
    wanted = "Remove the entry, so that the image is resolved anew."
    problems = [Problem(str(path), 0, f"images.{name}", found, "", wanted) for name in doubles(pins)]
    if problems:
        raise InvalidInput(problems)


def doubles(pins: Mapping[str, Pin]) -> list[str]:
    """Images, `name:tag`, that only stand in for the real ones."""
    return sorted(name for name, pin in pins.items() if pin.origin == "double")


def used_images(deployment: Deployment) -> dict[str, list[str]]:
    """`name:tag` of every image its components use → the components."""
    used: dict[str, list[str]] = {}
    for component in deployment.ordered:
        for image in component.description.images.values():
            used.setdefault(f"{image.name}:{image.tag}", []).append(component.slug)
    return used


def unpinned(deployment: Deployment) -> list[str]:
    """Images, `name:tag`, that the lock file lacks. Raises InvalidInput when it cannot be read."""
    pins = read_lock(deployment.images_lock)
    return [name for name in used_images(deployment) if name not in pins]


def require_pins(deployment: Deployment) -> dict[str, Pin]:
    """The pin of every image from the operator's lock file; none on `local`, where `up` pins them itself.

    Raises InvalidInput for every image without a pin, and for test doubles outside tests.
    """
    if deployment.is_local:
        return {}
    pins, used = read_lock(deployment.images_lock), used_images(deployment)
    refuse_doubles(deployment.images_lock, {name: pin for name, pin in pins.items() if name in used})
    step = f"Resolve it from the registry that will be used: suite-deploy images lock {deployment.given}"
    problems = [
        Problem(str(deployment.images_lock), 0, f"images.{name}", "is not pinned to a digest.", "", step)
        for name in unpinned(deployment)
    ]
    if problems:
        raise InvalidInput(problems)
    return {name: pins[name] for name in used}


def origins(deployment: Deployment) -> dict[str, Origin]:
    """What each component runs on, by its slug: one double among its images makes it a double.

    Components with an image that is not pinned are absent. Raises InvalidInput when the lock cannot be read.
    """
    pins = read_lock(deployment.images_lock)
    found: dict[str, Origin] = {}
    for component in deployment.ordered:
        names = [f"{image.name}:{image.tag}" for image in component.description.images.values()]
        if names and all(name in pins for name in names):
            found[component.slug] = min((pins[name].origin for name in names), key=ORIGINS.index)
    return found
