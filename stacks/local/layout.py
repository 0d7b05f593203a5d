# SPDX-License-Identifier: MIT
"""What is asked of the driver, and where everything of one suite lies."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stacks.local.system import write_atomically


@dataclass(frozen=True)
class HostWanted:
    """One host of the suite. `volumes`: kind → size; local volumes are directories, so the size is not enforced."""

    name: str
    groups: tuple[str, ...]
    volumes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """Paths and names derived from the suite, its state directory and the machine-wide cache."""

    suite: str
    state_dir: Path
    cache_dir: Path

    @property
    def network_record(self) -> Path:
        return self.state_dir / "network.json"

    @property
    def outputs_record(self) -> Path:
        return self.state_dir / "outputs.json"

    @property
    def mirrors_record(self) -> Path:
        return self.state_dir / "mirrors.json"

    @property
    def ssh_key(self) -> Path:
        return self.state_dir / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.state_dir / "known_hosts"

    @property
    def hosts(self) -> Path:
        return self.state_dir / "hosts"

    @property
    def volumes(self) -> Path:
        return self.state_dir / "volumes"

    @property
    def services(self) -> Path:
        return self.state_dir / "services"

    @property
    def logs(self) -> Path:
        return self.state_dir / "logs"

    @property
    def bases(self) -> Path:
        return self.cache_dir / "base"

    @property
    def machine_lock(self) -> Path:
        """Held while something shared by all suites of this machine is changed."""
        return self.cache_dir / "lock"

    @property
    def hosts_file_lock(self) -> Path:
        """Held while /etc/hosts is changed: a lock of its own, because the other one may be held for minutes."""
        return self.cache_dir / "hosts-file.lock"

    def machine(self, host: str) -> str:
        """The machine name of a host: unique on this machine, a valid host name."""
        return f"sd-{self.suite}-{host}"

    def unit(self, what: str) -> str:
        return f"suite-deploy-{self.suite}-{what}.service"

    def program(self, source: Path) -> Path:
        """Where a copy of one of this package's own programs lies: readable by every user, named by its content."""
        digest = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
        return self.cache_dir / "programs" / f"{source.stem}-{digest}{source.suffix}"

    def install_program(self, source: Path) -> Path:
        target = self.program(source)
        if not target.exists():
            write_atomically(target, source.read_text(encoding="utf-8"), 0o755)
        return target
