# SPDX-License-Identifier: MIT
"""A control group of its own for each host, where no systemd on the outer machine makes one.

Without it two machines put their services into the same groups and see each other's processes.
"""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from stacks.local.system import wait_until
from suite_deploy.errors import CouldNotRun


@dataclass(frozen=True)
class Hierarchy:
    """Where control groups are mounted. `memory` is the v1 hierarchy that counts memory, None where v2 does.

    `mirror` is v1's hierarchy without a controller, where nspawn repeats what it makes in the unified one.
    """

    unified: Path
    memory: Path | None = None
    mirror: Path | None = None

    def directories(self, machine: str) -> list[Path]:
        """The groups a host is put into."""
        return [root / machine for root in (self.unified, self.memory) if root]

    def traces(self, machine: str) -> list[Path]:
        """The groups there may be of it."""
        return [root / machine for root in (self.unified, self.memory, self.mirror) if root]


def hierarchy(mounts: str) -> Hierarchy:
    """Read the layout from the text of /proc/self/mounts: v2 alone, or v1 with a v2 tree beside it (hybrid)."""
    unified = memory = mirror = None
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 4:
            continue
        if fields[2] == "cgroup2" and unified is None:
            unified = Path(fields[1])
        elif fields[2] == "cgroup" and "memory" in fields[3].split(","):
            memory = Path(fields[1])
        elif fields[2] == "cgroup" and "name=systemd" in fields[3].split(","):
            mirror = Path(fields[1])
    if unified is None:
        raise CouldNotRun("control groups v2 are not mounted on this machine: mount -t cgroup2 none /sys/fs/cgroup")
    return Hierarchy(unified, memory, mirror)


def current() -> Hierarchy:
    return hierarchy(Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace"))


def make(machine: str) -> list[Path]:
    """The host's groups, made when absent."""
    where = current()
    if where.memory is None:
        for controller in ("memory", "pids", "cpu"):
            # Not ours to give inside a container: the host then goes without accounting.
            with contextlib.suppress(OSError):
                (where.unified / "cgroup.subtree_control").write_text(f"+{controller}", encoding="ascii")
    for directory in where.directories(machine):
        directory.mkdir(exist_ok=True)
    return where.directories(machine)


def processes(machine: str) -> list[int]:
    """Every process in the host's groups."""
    found: set[int] = set()
    for root in current().traces(machine):
        for file in root.rglob("cgroup.procs") if root.is_dir() else ():
            with contextlib.suppress(OSError):
                found.update(int(line) for line in file.read_text(encoding="ascii").split())
    return sorted(found - {0})


def remove(machine: str) -> None:
    """Kill what is left in the groups and remove them. Raises CouldNotRun when something will not go."""
    for pid in processes(machine):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    # A group stays busy until the last of its processes has really gone.
    if not wait_until(lambda: all(_removed(root) for root in current().traces(machine)), 15):
        left = ", ".join(map(str, processes(machine))) or "none"
        raise CouldNotRun(f"the control groups of {machine} cannot be removed; processes in them: {left}")


def _removed(group: Path) -> bool:
    """Remove a group with those inside it, the innermost first; whether it is gone."""
    inner = sorted((path for path in group.rglob("*") if path.is_dir()), key=lambda path: -len(path.parts))
    for directory in [*inner, group]:
        with contextlib.suppress(OSError):
            directory.rmdir()
    return not group.exists()


def memory_used(group: Path) -> int | None:
    """Bytes in use by a group without the file cache the kernel can drop at once; None where nothing counts."""
    for current_file in ("memory.current", "memory.usage_in_bytes"):
        try:
            used = int((group / current_file).read_text(encoding="ascii"))
            stat = dict(line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
        except (OSError, ValueError):
            continue
        return used - int(stat.get("total_inactive_file", stat.get("inactive_file", 0)))
    return None
