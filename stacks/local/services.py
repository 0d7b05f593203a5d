# SPDX-License-Identifier: MIT
"""The two services a suite's hosts reach on their bridge: a caching package proxy and an image registry.

One pair per suite, because each listens on its own bridge; their storage is shared by all suites of the machine (files
named by content or replaced in one step). They run as unprivileged users, under systemd where it is PID 1 and as plain
processes otherwise. The configuration file's name carries a hash of what it says, so a process started with another
configuration is recognised by its arguments and replaced.
"""

from __future__ import annotations

import functools
import hashlib
import json
import pwd
import re
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stacks.local.layout import Layout
from stacks.local.sources import Mirrors, proxy_configuration
from stacks.local.system import command_lines, has_systemd, run, stop_processes, tool, wait_until, write_atomically
from suite_deploy.errors import CouldNotRun
from suite_deploy.model.outputs import Progress

APT_PORT = 3142
REGISTRY_PORT = 5000
#: Debian's own Python: the command's environment may be unreadable for other users, or gone tomorrow.
APT_PROXY = Path(__file__).with_name("aptproxy.py")
SYSTEM_PYTHON = "/usr/bin/python3"
LOG_BYTES_KEPT = 5_000_000
START_SECONDS = 15.0


@dataclass(frozen=True)
class Service:
    """One service: `configuration` is written to a file whose path is the last argument of `command`."""

    name: str
    title: str
    user: str
    address: tuple[str, int]
    command: tuple[str, ...]
    configuration: str

    def configuration_file(self, layout: Layout) -> Path:
        digest = hashlib.sha256("\n".join([*self.command, self.configuration]).encode()).hexdigest()[:12]
        return layout.services / f"{self.name}.{digest}"

    def argv(self, layout: Layout) -> list[str]:
        return [*self.command, str(self.configuration_file(layout))]


def wanted(layout: Layout, gateway: str, mirrors: Mirrors) -> list[Service]:
    """The services of a suite whose bridge has the address `gateway`."""
    storage = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(layout.cache_dir / "registry")},
            "delete": {"enabled": True},
            "maintenance": {"uploadpurging": {"enabled": True, "age": "24h", "interval": "24h", "dryrun": False}},
        },
        "http": {"addr": f"{gateway}:{REGISTRY_PORT}"},
    }
    apt_cache = proxy_configuration(mirrors, (gateway, APT_PORT), layout.cache_dir / "apt")
    return [
        Service(
            name="apt",
            title="package cache",
            user="_apt",
            address=(gateway, APT_PORT),
            command=(SYSTEM_PYTHON, "-I", str(layout.program(APT_PROXY))),
            configuration=apt_cache,
        ),
        Service(
            name="registry",
            title="image registry",
            user="docker-registry",
            address=(gateway, REGISTRY_PORT),
            command=("/usr/bin/docker-registry", "serve"),
            configuration=json.dumps(storage, indent=1) + "\n",
        ),
    ]


def ensure(services: Sequence[Service], layout: Layout, progress: Progress) -> None:
    """Start what does not run, replace what runs with another configuration. Raises CouldNotRun with its log."""
    for service in services:
        ours = running(layout, service.name)
        if list(ours.values()) == [service.argv(layout)] and _answers(service.address):
            continue
        # Also when nothing runs: systemd may be waiting to start it again.
        stop(layout, [service.name])
        progress(f"starting the {service.title} on {service.address[0]}:{service.address[1]}")
        _prepare(service, layout)
        _launch(service, layout)
        if not wait_until(functools.partial(_answers, service.address), START_SECONDS):
            log = layout.logs / f"{service.name}.log"
            said = log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:] if log.exists() else []
            raise CouldNotRun(f"the {service.title} did not start; {log} ends with:\n  " + "\n  ".join(said))


def running(layout: Layout, name: str) -> Mapping[int, list[str]]:
    """Processes of the suite's service by pid, with their arguments."""
    pattern = re.compile(re.escape(f"{layout.services}/{name}.") + r"[0-9a-f]{12}")
    return {pid: argv for pid, argv in command_lines() if pattern.fullmatch(argv[-1]) and argv[0] != "/bin/sh"}


def stop(layout: Layout, names: Sequence[str] = ("apt", "registry")) -> None:
    for name in names:
        if has_systemd():
            run(["systemctl", "stop", layout.unit(name)], doing=f"stop {layout.unit(name)}", fails=False)
        stop_processes(list(running(layout, name)), seconds=5)


def launcher(service: Service, layout: Layout, systemd: bool) -> list[str]:
    """The command line that starts the service detached from this process and its terminal."""
    log = layout.logs / f"{service.name}.log"
    if systemd:
        properties = [
            f"User={service.user}", "Restart=on-failure", "NoNewPrivileges=yes", "ProtectSystem=full", "PrivateTmp=yes",
            f"StandardOutput=append:{log}", f"StandardError=append:{log}",
        ]  # fmt: skip
        options = [f"--property={entry}" for entry in properties]
        description = f"--description=suite-deploy {layout.suite}: {service.title}"
        start = ["systemd-run", "--quiet", "--collect", f"--unit={layout.unit(service.name)}", description]
        return [*start, *options, *service.argv(layout)]
    drop = ["setpriv", f"--reuid={service.user}", f"--regid={_group(service.user)}", "--clear-groups",
            "--no-new-privs", "--inh-caps=-all"]  # fmt: skip
    detach = ["setsid", "--fork", "/bin/sh", "-c", 'log=$1; shift; cd /; exec "$@" >>"$log" 2>&1 </dev/null', "sh"]
    return [*detach, str(log), *drop, *service.argv(layout)]


def _group(user: str) -> str:
    return str(pwd.getpwnam(user).pw_gid)


def _launch(service: Service, layout: Layout) -> None:
    if has_systemd():
        run(["systemctl", "reset-failed", layout.unit(service.name)], doing="forget an earlier failure", fails=False)
    run(launcher(service, layout, has_systemd()), doing=f"start the {service.title}")


def _prepare(service: Service, layout: Layout) -> None:
    """Configuration, program, storage and log, readable or writable by the service's user."""
    tool(service.command[0])
    try:
        account = pwd.getpwnam(service.user)
    except KeyError:
        raise CouldNotRun(f"this machine has no user {service.user}, which the {service.title} runs as") from None
    owner = (account.pw_uid, account.pw_gid)
    layout.install_program(APT_PROXY)
    storage = layout.cache_dir / service.name
    storage.mkdir(parents=True, exist_ok=True)
    if storage.stat().st_uid != account.pw_uid:
        for path in (storage, *storage.rglob("*")):
            shutil.chown(path, *owner)
    layout.logs.mkdir(parents=True, exist_ok=True)
    log = layout.logs / f"{service.name}.log"
    if log.exists() and log.stat().st_size > LOG_BYTES_KEPT:
        log.unlink()
    log.touch(mode=0o640)
    shutil.chown(log, *owner)
    for old in layout.services.glob(f"{service.name}.*"):
        old.unlink()
    # Mirror addresses may hold a login: nobody but the service reads this.
    write_atomically(service.configuration_file(layout), service.configuration, 0o400, owner)


def _answers(address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(address, timeout=2):
            return True
    except OSError:
        return False
