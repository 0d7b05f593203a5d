# SPDX-License-Identifier: MIT
"""What a plan asks of a cloud in countable things: hosts, processors, memory, volumes, addresses."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import CouldNotRun
from ..model.deployment import HostPlan
from .counted import taken_by
from .plan import Step, last_of

#: Outscale's flavors say what they are: tina, generation, cores, memory in GiB, performance
_TINA = re.compile(r"^tinav\d+\.c(\d+)r(\d+)(p\d)?$")
#: clouds that sell 8 GB and mean it (8,000 MiB) still hold a host of 8 GiB
_ROUNDING = 0.97
_HOSTS = ("Instance", "Vm")
#: clouds with a limit for each type of volume besides the one for all; elsewhere types have names of the cloud's own
_LIMITS_BY_TYPE = "pulumi-python:dynamic/outscale:"


@dataclass(frozen=True)
class Size:
    """A flavor: its name, processors and MiB of memory."""

    name: str
    vcpus: int
    memory_mib: int

    def __str__(self) -> str:
        return f"{self.name} ({self.vcpus} vCPU, {round(self.memory_mib / 1024, 1):g} GiB)"


@dataclass(frozen=True)
class Disk:
    """A volume: GiB and the cloud's name of its type, "" for the cloud's default."""

    gib: int
    type: str = ""


def flavor_of(inputs: Mapping[str, Any]) -> str:
    """The flavor that a host's inputs name, by name or id."""
    return str(next((inputs[key] for key in ("flavorName", "flavorId", "vmType") if inputs.get(key)), ""))


def size_of(flavor: str, known: Mapping[str, Size]) -> Size | None:
    """A flavor's size, from what the cloud lists (by name or id) or from a name that says it."""
    if flavor in known:
        return known[flavor]
    match = _TINA.match(flavor)
    return Size(flavor, int(match[1]), int(match[2]) * 1024) if match else None


def smallest(host: HostPlan, flavors: Iterable[Size]) -> Size:
    """The smallest flavor that holds a derived host: least processors, then least memory, then by name.

    Raises CouldNotRun when the cloud has none that large.
    """
    fitting = [size for size in flavors if size.vcpus >= host.vcpus and size.memory_mib >= host.memory_mib * _ROUNDING]
    if not fitting:
        wanted = f"{host.vcpus} vCPU and {host.memory_mib // 1024} GiB"
        listed = ", ".join(sorted({str(size) for size in flavors})) or "none"
        raise CouldNotRun(
            f"host {host.name} needs {wanted}, and the cloud has no flavor of that size.\n"
            f"  There is: {listed}.\n  Write `infrastructure.hosts` yourself: docs/operator/clouds.md"
        )
    return min(fitting, key=lambda size: (size.vcpus, size.memory_mib, size.name))


def disks_of(step_type: str, inputs: Mapping[str, Any]) -> list[Disk]:
    """The volumes that a resource with these inputs is or brings along."""
    last = last_of(step_type)
    if last == "Volume":
        return [Disk(int(inputs.get("size") or 0), str(inputs.get("volumeType") or ""))]
    if last == "Instance":
        return [
            Disk(int(device["volumeSize"]), str(device.get("volumeType") or ""))
            for device in inputs.get("blockDevices") or []
            if device.get("destinationType") == "volume" and device.get("volumeSize")
        ]
    if last == "Vm" and inputs.get("rootSize"):
        return [Disk(int(inputs["rootSize"]), str(inputs.get("rootType") or ""))]
    return []


def disk_of_image(min_disk: int | None, unpacked: int | None) -> int:
    """GiB of the disk that a system image needs at least.

    min_disk: GiB, as the cloud keeps it. unpacked: bytes of the disk in it. None or 0: nobody says.
    """
    return max(int(min_disk or 0), math.ceil(int(unpacked or 0) / 2**30))


def is_host(step: Step) -> bool:
    """Whether a step is about a host."""
    return last_of(step.type) in _HOSTS


def needs(steps: Iterable[Step], known: Mapping[str, Size]) -> tuple[Counter[str], list[str]]:
    """What would be taken from the quota, counted, and the flavors nobody knows.

    A resource that is replaced takes the place of its predecessor; one that is changed counts by the difference.
    """
    total: Counter[str] = Counter()
    unknown: list[str] = []
    for step in steps:
        if step.action == "create":
            total.update(_taken(step.type, step.inputs, known, unknown))
        elif step.action in ("change", "replace"):
            total.update(_taken(step.type, step.inputs, known, unknown))
            total.subtract(_taken(step.type, step.before, known, []))
    return Counter({name: count for name, count in total.items() if count > 0}), sorted(set(unknown))


def _taken(type: str, inputs: Mapping[str, Any], known: Mapping[str, Size], unknown: list[str]) -> Counter[str]:
    taken = Counter(taken_by(type))
    if last_of(type) in _HOSTS:
        size = size_of(flavor_of(inputs), known)
        if size:
            taken["vCPU"] += size.vcpus
            taken["memory MiB"] += size.memory_mib
        elif flavor_of(inputs):
            unknown.append(flavor_of(inputs))
    for disk in disks_of(type, inputs):
        taken["volumes"] += 1
        taken["volume GiB"] += disk.gib
        if type.startswith(_LIMITS_BY_TYPE) and disk.type:
            taken[f"{disk.type} volume GiB"] += disk.gib
    return taken
