# SPDX-License-Identifier: MIT
"""Writing an inventory's images.lock.yml from what registries answer, and copying what it pins to a mirror."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import CouldNotRun, InvalidInput, Problem
from .lock import Pin, now, read_lock, write_lock
from .store import Progress
from .upstream import Wanted, copy_all, digests, need_skopeo


@dataclass(frozen=True)
class Change:
    """What locking did to one image's pin. before: its digest until now, if it had one."""

    image: str
    change: Literal["new", "changed", "unchanged", "dropped"]
    digest: str | None
    before: str | None


def lock_images(names: Iterable[str], path: Path, mirror: str | None, progress: Progress) -> list[Change]:
    """Pin every `name:tag` to the digest its registry, or the mirror, has now; pins of other images are dropped.

    A pin that is still right keeps its date, so that the file shows what changed and nothing else.
    Raises CouldNotRun with every image that cannot be had; the file stays as it was then.
    """
    need_skopeo()
    wanted = [Wanted(name, mirror) for name in dict.fromkeys(names)]
    before = read_lock(path)
    found, failures = digests(wanted, progress)
    if failures:
        head = f"{path} is as it was; not every image could be resolved:"
        own = "Copies in a registry of your own do as well: `images.mirror` in suite.yml names it."
        raise CouldNotRun("\n  ".join([head, *failures, *([] if mirror else [own])]))
    pins: dict[str, Pin] = {}
    for name, digest in found.items():
        fresh = Pin(digest=digest, origin="registry", resolved=now(), mirror=mirror)
        known = before.get(name)
        same = known is not None and (known.digest, known.origin, known.mirror) == (digest, "registry", mirror)
        pins[name] = known if known is not None and same else fresh
    write_lock(path, pins)
    return [_change(name, before.get(name), pins.get(name)) for name in sorted({*before, *pins})]


def _change(name: str, before: Pin | None, after: Pin | None) -> Change:
    old = before.digest if before else None
    if after is None:
        return Change(name, "dropped", None, old)
    if before is None:
        return Change(name, "new", after.digest, None)
    return Change(name, "unchanged" if old == after.digest else "changed", after.digest, old)


def mirror_images(
    names: Iterable[str], path: Path, source: str | None, to: str, progress: Progress, *, lock_command: str
) -> tuple[int, int]:
    """Copy every pinned `name:tag` to the registry `to` (`host[:port][/path]`); what is there is not copied again.

    source: the mirror to copy from, the upstream registries when None. lock_command: what pins a missing image.
    Returns how many images there are, and how many were copied.
    Raises InvalidInput for images without a pin or that no registry has, CouldNotRun with every one not copied.
    """
    pins, wanted = read_lock(path), list(dict.fromkeys(names))
    problems = []
    for name in wanted:
        if name not in pins:
            problems.append(
                Problem(str(path), 0, f"images.{name}", "is not pinned to a digest.", "", f"Run: {lock_command}")
            )
        elif pins[name].origin != "registry":
            found = f"is a {pins[name].origin} of this machine: there is no registry to copy it from."
            problems.append(Problem(str(path), 0, f"images.{name}", found, "", f"Run: {lock_command}"))
    if problems:
        raise InvalidInput(problems)
    need_skopeo()
    images = {Wanted(name, source): pins[name].digest for name in wanted}
    copied, failures = copy_all(images, to, progress)
    if failures:
        head = f"{to} does not hold every image yet; run the same command again, what is there is not copied twice:"
        raise CouldNotRun("\n  ".join([head, *failures]))
    return len(images), copied
