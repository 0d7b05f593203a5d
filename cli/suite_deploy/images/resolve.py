# SPDX-License-Identifier: MIT
"""From `name:tag` to the reference by digest that a unit names: pin first, registry second, recipe third."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import CouldNotRun, InvalidInput, Problem
from ..model.deployment import Deployment
from ..paths import resource_root
from .builder import build, is_built, required_packages
from .lock import Pin, doubles_allowed, now, read_lock, refuse_doubles, require_pins, write_lock
from .packages import install
from .recipe import DOUBLE_LABEL, Recipe, find_recipes
from .registry import LocalRegistry, copy_upstream, unreachable, upstream_digest
from .store import Progress, Store
from .upstream import Wanted, mirrored

#: below the cache shared by everything on this machine
CACHE = "images"

Installer = Callable[[Sequence[str], Progress], None]


@dataclass(frozen=True)
class ImageResolution:
    """What became of each `name:tag`: a reference by digest, or the reason why there is none."""

    pinned: Mapping[str, str] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)


def split(reference: str) -> tuple[str, str]:
    """`name:tag` → name and tag; the registry's port, if there is one, belongs to the name."""
    name, _, tag = reference.rpartition(":")
    return name, tag


def resolve_local(
    wanted: Iterable[str],
    registry_address: str,
    cache_dir: Path,
    lock_path: Path,
    progress: Progress,
    *,
    recipes: Iterable[Recipe] | None = None,
    install_packages: Installer = install,
    mirror: str | None = None,
) -> ImageResolution:
    """Bring every image of `wanted` (`name:tag`) into the suite's registry and pin it in the lock file.

    registry_address: `host:port`. cache_dir: the machine's cache; images are below `images/`. recipes: those of the
    product by default. install_packages: called with the Debian packages a recipe that will run needs.
    mirror: the registry to ask instead of the upstream ones, `host[:port][/path]`.
    Upstream registries are asked once, together, for at most 2.5 s, and only for images without a usable pin.
    Raises InvalidInput for an unusable lock or recipe and for a test double outside tests, CouldNotRun when the
    suite's own registry does not work. What cannot be had is not an error: it is in `skipped`.
    """
    names = list(dict.fromkeys(wanted))
    known = find_recipes(resource_root() / "roles").values() if recipes is None else recipes
    by_image = {recipe.reference: recipe for recipe in known}
    registry = LocalRegistry(registry_address)
    work = _Work(Store(cache_dir / CACHE), registry, lock_path, progress, install_packages, by_image, mirror)
    pins = read_lock(lock_path)
    refuse_doubles(lock_path, {name: pin for name, pin in pins.items() if name in names})
    pinned: dict[str, str] = {}
    for name in names:
        if name in pins and work.usable(name, pins[name]):
            pinned[name] = work.reference(name, pins[name].digest)
    missing = [name for name in names if name not in pinned]
    silent = work.silent_registries(missing)
    skipped: dict[str, str] = {}
    for name in missing:
        try:
            pin = work.obtain(name, silent.get(work.registry_of(name)))
        except _Unobtainable as why:
            skipped[name] = str(why)
            continue
        pins[name] = pin
        write_lock(lock_path, pins)
        pinned[name] = work.reference(name, pin.digest)
    return ImageResolution({name: pinned[name] for name in names if name in pinned}, skipped)


def resolve_locked(deployment: Deployment) -> dict[str, str]:
    """References by digest from the operator's lock file alone, at the mirror if there is one; no registry is asked.

    Raises InvalidInput for every image without a pin, and for test doubles outside tests.
    """
    mirror = deployment.suite.images.mirror
    return {name: Wanted(name, mirror).at(pin.digest) for name, pin in require_pins(deployment).items()}


class _Unobtainable(Exception):
    """An image can be neither pulled nor built; the text says why."""


@dataclass(frozen=True)
class _Work:
    store: Store
    registry: LocalRegistry
    lock_path: Path
    progress: Progress
    install_packages: Installer
    recipes: Mapping[str, Recipe]
    mirror: str | None = None

    def registry_of(self, name: str) -> str:
        """The registry that is asked for an image."""
        return Wanted(name, self.mirror).host

    def reference(self, name: str, digest: str) -> str:
        return self.registry.reference(split(name)[0], digest)

    def silent_registries(self, names: Sequence[str]) -> dict[str, str]:
        """Registries of these images that do not answer, and why."""
        hosts = {self.registry_of(name) for name in names}
        if not hosts:
            return {}
        self.progress(f"asking {', '.join(sorted(hosts))}")
        return unreachable(hosts)

    def usable(self, name: str, pin: Pin) -> bool:
        """Whether the pinned image is still right, and in the suite's registry after this call."""
        recipe = self.recipes.get(name)
        if pin.origin == "recipe":
            if recipe is None or recipe.key != pin.recipe:
                return False
            # built anew since, with newer packages
            if is_built(self.store, recipe) not in (None, pin.digest):
                return False
        if not self.registry.has(split(name)[0], pin.digest):
            if self.store.has_image(pin.digest):
                self._push(name, pin.digest)
            elif pin.origin == "registry":
                return self._pull_again(name, pin.digest)
            elif pin.origin == "double":
                raise InvalidInput([self._lost_double(name)])
            else:
                return False
        self._refuse_double(name, pin.digest)
        return True

    def obtain(self, name: str, silent: str | None) -> Pin:
        """Pull or build one image and put it into the suite's registry."""
        whys = []
        if silent is None:
            try:
                return self._pull(name)
            except CouldNotRun as error:
                whys.append(f"{self.registry_of(name)}: {_short(error)}")
        else:
            whys.append(f"{self.registry_of(name)} does not answer ({silent})")
        recipe = self.recipes.get(name)
        if recipe is None:
            others = [item.reference for item in self.recipes.values() if split(item.reference)[0] == split(name)[0]]
            whys.append(f"the recipe makes {others[0]}" if others else "there is no recipe for it")
            raise _Unobtainable("; ".join(whys))
        try:
            return self._build(name, recipe)
        except CouldNotRun as error:
            raise _Unobtainable("; ".join([*whys, f"building it failed: {_short(error)}"])) from error

    def _pull(self, name: str) -> Pin:
        self.install_if_absent("skopeo")
        self.progress(f"resolving {name}")
        digest = upstream_digest(*split(mirrored(name, self.mirror)))
        self._copy(name, digest)
        return Pin(digest=digest, origin="registry", resolved=now(), mirror=self.mirror)

    def _pull_again(self, name: str, digest: str) -> bool:
        """A pinned upstream image that the suite's registry lost: the same digest or none."""
        if unreachable([self.registry_of(name)]):
            return False
        self.install_if_absent("skopeo")
        self._copy(name, digest)
        return True

    def _copy(self, name: str, digest: str) -> None:
        self.progress(f"copying {name}")
        copy_upstream(name, mirrored(name, self.mirror), digest, self.registry, self.progress)
        self._refuse_double(name, digest)

    def _build(self, name: str, recipe: Recipe) -> Pin:
        if is_built(self.store, recipe) is None:
            self.install_packages(required_packages(recipe), self.progress)
        built = build(self.store, recipe, self.progress)
        self._push(name, built.digest)
        return Pin(digest=built.digest, origin="recipe", resolved=now(), recipe=recipe.key)

    def _push(self, name: str, digest: str) -> None:
        if is_double(self.store.labels(digest)) and not doubles_allowed():
            raise InvalidInput([self._double(name)])
        self.progress(f"pushing {name}")
        plain, tag = split(name)
        self.registry.push(self.store, plain, digest, tag)

    def _refuse_double(self, name: str, digest: str) -> None:
        if not doubles_allowed() and is_double(self.registry.labels(split(name)[0], digest)):
            raise InvalidInput([self._double(name)])

    def _double(self, name: str) -> Problem:
        found = "is a test double, an image that only pretends to be the application."
        step = "Remove the entry to resolve the image anew."
        return Problem(str(self.lock_path), 0, f"images.{name}", found, "", step)

    def _lost_double(self, name: str) -> Problem:
        found = "is pinned to a test double that is neither built nor in the suite's registry."
        return Problem(str(self.lock_path), 0, f"images.{name}", found, "", "Build the double first.")

    def install_if_absent(self, program: str) -> None:
        """Install the package that is called like the program it brings."""
        if shutil.which(program) is None:
            self.install_packages([program], self.progress)


def is_double(labels: Mapping[str, str]) -> bool:
    """Whether an image says of itself that it only stands in for the real one."""
    return labels.get(DOUBLE_LABEL) == "true"


def _short(error: Exception) -> str:
    """The first and the last line of a tool's failure: what was run, and what it said in the end."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if len(lines) < 2 else f"{lines[0]} … {lines[-1]}"
