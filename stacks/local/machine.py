# SPDX-License-Identifier: MIT
"""One host: a systemd-nspawn machine over the base tree. Prepare, start, stop, remove, ask."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from stacks.local import cgroups, guest
from stacks.local.bridge import Network, bridge_name
from stacks.local.layout import HostWanted, Layout
from stacks.local.system import (
    alive,
    command_lines,
    has_systemd,
    mount_points,
    parent_of,
    remove_tree,
    run,
    stop_processes,
    wait_until,
    write_atomically,
)
from suite_deploy.errors import CouldNotRun

#: nspawn passes a request to end on to the host's init; containers that ignore theirs take ten seconds each.
POWER_OFF_SECONDS = 90.0
#: How nspawn says that the host asked for a reboot, when it cannot do that itself.
REBOOT_EXIT_CODE = 133
#: What a host starts as its PID 1; it comes from outside, so that it goes with this code and not with the base tree.
INIT_SCRIPT = Path(__file__).with_name("init.sh")
INIT = "/usr/lib/suite-local/init"
RUNTIME = Path("/run/systemd/nspawn")
ENVIRONMENT = {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"}

#: Without a systemd to do it: a group of its own for nspawn, and another start when the host reboots. The shell itself
#: stays outside, because a group that hands controllers on may not hold processes.
BARE_START = """\
exec > /dev/null 2>&1 < /dev/null
log=$1; groups=$2; shift 2
cd /
while :; do
  ( for group in $groups; do echo 0 > "$group/cgroup.procs" || exit 1; done; exec "$@" ) > "$log" 2>&1 < /dev/null
  [ $? -eq 133 ] || break
done
"""


@dataclass(frozen=True)
class Machine:
    """One host of the suite as it is on this machine."""

    layout: Layout
    host: str

    @property
    def name(self) -> str:
        return self.layout.machine(self.host)

    @property
    def directory(self) -> Path:
        return self.layout.hosts / self.host

    @property
    def root(self) -> Path:
        return self.directory / "root"

    @property
    def record(self) -> Path:
        """Written last: a host without it is half-made and is made again."""
        return self.directory / "host.json"

    @property
    def paths_checked(self) -> Path:
        """There when the host, since its start, was seen to reach what it needs on this machine."""
        return self.directory / "paths-checked"

    @property
    def log(self) -> Path:
        return self.layout.logs / f"{self.host}.console"

    @property
    def unit(self) -> str:
        return self.layout.unit(f"host-{self.host}")

    def volume(self, kind: str) -> Path:
        return self.layout.volumes / self.host / kind

    # --- what there is ---------------------------------------------------------------------------------------------

    def base(self) -> str | None:
        """The key of the base tree under this host, None while the host is not completely made."""
        try:
            return str(json.loads(self.record.read_text(encoding="utf-8"))["base"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def supervisors(self) -> dict[int, list[str]]:
        """nspawn processes of this machine by pid, with their arguments."""
        option = f"--machine={self.name}"
        found = {pid: argv for pid, argv in command_lines() if argv[0].endswith("systemd-nspawn") and option in argv}
        return {pid: argv for pid, argv in found.items() if parent_of(pid) not in found}

    def running(self) -> bool:
        return bool(self.supervisors())

    def init(self) -> int | None:
        """The host's PID 1 as seen from outside."""
        supervisors = self.supervisors()
        return next((pid for pid, _ in command_lines() if parent_of(pid) in supervisors), None)

    def group(self) -> Path | None:
        """The control group that holds the whole host."""
        if not has_systemd():
            where = cgroups.current()
            return (where.memory or where.unified) / self.name
        show = ["systemctl", "show", "--property=ControlGroup", "--value", self.unit]
        shown = run(show, doing="find the host's group")
        return cgroups.current().unified / shown.stdout.strip().lstrip("/") if shown.stdout.strip() else None

    # --- making ----------------------------------------------------------------------------------------------------

    def prepare(self, wanted: HostWanted, network: Network, base: Path, public_key: str, apt_proxy: str) -> None:
        """Make and mount the root as far as it is not there, and write what follows the network."""
        if self.base() is None:
            self.discard()
        fresh = not self.record.exists()
        self._mount(base)
        for kind in wanted.volumes:
            self.volume(kind).mkdir(parents=True, exist_ok=True)
        if fresh:
            guest.prepare(self.root, name=self.host, public_key=public_key, volumes=wanted.volumes)
        for kind in wanted.volumes:
            (self.root / "srv" / kind).mkdir(parents=True, exist_ok=True)
        guest.connect(self.root, address=network.addresses[self.host], subnet=network.subnet, apt_proxy=apt_proxy)
        if fresh:
            write_atomically(self.record, json.dumps({"base": base.name}) + "\n")

    def _mount(self, base: Path) -> None:
        for name in ("root", "upper", "work", "containers"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        if self.root in mount_points() or (self.root / "usr").is_dir():
            return
        options = f"lowerdir={base},upperdir={self.directory}/upper,workdir={self.directory}/work"
        mounted = run(["mount", "-t", "overlay", "-o", options, f"suite-{self.name}", self.root],
                      doing=f"mount the root of {self.host}", fails=False)  # fmt: skip
        if mounted.returncode == 0:
            return
        # An overlay cannot lie over another overlay (a container's own root): a copy does the same, more slowly.
        try:
            run(["cp", "--archive", "--reflink=auto", f"{base}/.", self.root], doing=f"copy the root of {self.host}",
                timeout=600, contained=True)  # fmt: skip
        except BaseException:
            remove_tree(self.root)
            raise

    def argv(self, wanted: HostWanted) -> list[str]:
        """The nspawn command. Privileged on purpose: the host runs containers with user namespaces of their own."""
        binds = [f"--bind={device}" for device in ("/dev/fuse", "/dev/net/tun") if Path(device).exists()]
        # podman's storage is an overlay itself and must not lie in one.
        binds.append(f"--bind={self.directory}/containers:/var/lib/containers")
        binds += [f"--bind={self.volume(kind)}:/srv/{kind}" for kind in sorted(wanted.volumes)]
        binds.append(f"--bind-ro={self.layout.program(INIT_SCRIPT)}:{INIT}")
        return [
            "/usr/bin/systemd-nspawn", "--quiet", "--settings=no", "--register=no", "--keep-unit",
            f"--machine={self.name}", f"--hostname={self.host}", f"--directory={self.root}", "--capability=all",
            f"--network-bridge={bridge_name(self.layout.suite)}", "--kill-signal=SIGRTMIN+4",
            "--system-call-filter=@known add_key keyctl bpf", "--link-journal=no", "--timezone=off",
            "--resolv-conf=off", "--setenv=TERM=dumb", *binds, INIT,
        ]  # fmt: skip

    # --- running ---------------------------------------------------------------------------------------------------

    def start(self, wanted: HostWanted) -> None:
        """Boot the host; returns at once. `reachable` tells when it is up."""
        self.layout.install_program(INIT_SCRIPT)
        self.layout.logs.mkdir(parents=True, exist_ok=True)
        self.log.unlink(missing_ok=True)
        self.paths_checked.unlink(missing_ok=True)
        doing = f"start host {self.host}"
        if has_systemd():
            run(["systemctl", "reset-failed", self.unit], doing=doing, fails=False)
            run(self.unit_command(wanted), doing=doing)
            return
        groups = " ".join(map(str, cgroups.make(self.name)))
        detach = ["setsid", "--fork", "/bin/sh", "-c", BARE_START, f"suite-host-{self.name}", str(self.log), groups]
        run([*detach, *self.argv(wanted)], doing=doing, env=ENVIRONMENT)

    def unit_command(self, wanted: HostWanted) -> list[str]:
        """The same start as a transient unit, where systemd is PID 1."""
        properties = [
            "Type=exec", "KillMode=mixed", "Delegate=yes", "Slice=machine.slice", "TasksMax=16384",
            f"TimeoutStopSec={POWER_OFF_SECONDS:.0f}", f"RestartForceExitStatus={REBOOT_EXIT_CODE}",
            f"SuccessExitStatus={REBOOT_EXIT_CODE}", f"StandardOutput=append:{self.log}",
            f"StandardError=append:{self.log}",
        ]  # fmt: skip
        return [
            "systemd-run", "--quiet", "--collect", f"--unit={self.unit}",
            f"--description=suite-deploy {self.layout.suite}: host {self.host}",
            *(f"--property={entry}" for entry in properties),
            *(f"--setenv={name}={value}" for name, value in ENVIRONMENT.items()),
            *self.argv(wanted),
        ]  # fmt: skip

    def stop(self) -> None:
        """Power off cleanly, by force after a while, and take the control groups away."""
        if has_systemd():
            stop = ["systemctl", "stop", self.unit]
            run(stop, doing=f"stop {self.unit}", timeout=POWER_OFF_SECONDS + 30, fails=False)
        # The loop first: it would take the end for a reboot.
        stop_processes(self._launchers(), seconds=1)
        supervisors = list(self.supervisors())
        deadline = time.monotonic() + POWER_OFF_SECONDS
        while any(alive(pid) for pid in supervisors) and time.monotonic() < deadline:
            # As `systemctl poweroff` inside would, so databases end cleanly. Repeated, because an init that has only
            # just begun does not listen yet.
            init = self.init()
            with contextlib.suppress(ProcessLookupError):
                if init:
                    os.kill(init, signal.SIGRTMIN + 4)
            wait_until(lambda: not any(alive(pid) for pid in supervisors), 3)
        stop_processes([pid for pid in supervisors if alive(pid)], seconds=10)
        if not has_systemd():
            cgroups.remove(self.name)
        self._forget()

    def _forget(self) -> None:
        """What nspawn leaves in /run when it is killed, and then refuses to start over."""
        for directory in (RUNTIME / "unix-export" / self.name, RUNTIME / "propagate" / self.name):
            if directory in mount_points():
                run(["umount", "--lazy", directory], doing=f"unmount {directory}")
            with contextlib.suppress(FileNotFoundError):
                directory.rmdir()

    def _launchers(self) -> list[int]:
        return [pid for pid, argv in command_lines() if f"suite-host-{self.name}" in argv]

    def discard(self) -> None:
        """Remove the host's root; its volumes stay."""
        if self.root in mount_points():
            # What just ended may hold it for a moment.
            unmount = ["umount", str(self.root)]
            if not wait_until(lambda: run(unmount, doing="unmount", fails=False).returncode == 0, 5):
                run(unmount, doing=f"unmount the root of {self.host}")
        # podman mounts its storage's parts privately inside; what leaked out would keep the tree busy.
        for point in sorted((p for p in mount_points() if self.directory in p.parents), reverse=True):
            run(["umount", "--lazy", point], doing=f"unmount {point}")
        if self.directory.exists():
            # The record goes first: without it the rest counts as half-made.
            self.record.unlink(missing_ok=True)
            remove_tree(self.directory)

    def connects(self, address: IPv4Address, port: int) -> bool:
        """Whether the host can open a TCP connection, asked from inside its network."""
        init = self.init()
        if init is None:
            return False
        probe = f"import socket; socket.create_connection(({str(address)!r}, {port}), 3).close()"
        inside = ["nsenter", "--target", str(init), "--net", "/usr/bin/python3", "-I", "-c", probe]
        return run(inside, doing="look from inside", fails=False).returncode == 0

    def memory_used(self) -> int:
        """Bytes the whole host uses, without file cache that can be dropped. Raises CouldNotRun when nothing counts."""
        group = self.group() if self.running() else None
        used = cgroups.memory_used(group) if group else None
        if used is None:
            raise CouldNotRun(f"nothing counts the memory of host {self.host} on this machine, or it does not run")
        return used
