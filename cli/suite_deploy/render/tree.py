# SPDX-License-Identifier: MIT
"""What rendering produces: files per host, services with their environment and image. Secrets are placeholders."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..files import write_whole

#: how a secret stands in a rendered file; the host fills it in
PLACEHOLDER = re.compile(r"@secret:([a-z0-9][a-z0-9._-]*)@")


def placeholder(name: str) -> str:
    """The text that stands for secret `name` in rendered files."""
    return f"@secret:{name}@"


@dataclass(frozen=True)
class RenderedFile:
    """One file of one host, exactly as it will be installed but for its secrets."""

    host: str
    path: str
    content: str
    mode: str
    owner: int
    group: int
    component: str
    #: systemd units to restart when it changes
    restarts: tuple[str, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of the secrets this file holds."""
        return tuple(dict.fromkeys(PLACEHOLDER.findall(self.content)))

    @property
    def build_path(self) -> str:
        """Where it lies below the build tree."""
        return f"{self.host}{self.path}"


@dataclass(frozen=True)
class RenderedService:
    """A container as it will run; `image` is a reference by digest, or `@image:name:tag@` before it is resolved."""

    component: str
    name: str
    unit: str
    image: str
    upstream_image: str
    env: Mapping[str, str]
    network: str
    is_job: bool = False


@dataclass(frozen=True)
class RenderedTree:
    """Everything the CLI renders for one deployment."""

    files: tuple[RenderedFile, ...]
    services: tuple[RenderedService, ...]
    #: ansible variables per host, and of all hosts
    host_vars: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    all_vars: Mapping[str, Any] = field(default_factory=dict)

    def config_files(self, component: str) -> dict[str, str]:
        """Texts of a component's own configuration files, by the name component.yml gives them."""
        prefix = f"/etc/suite/{component}/files/"
        return {
            item.path.removeprefix(prefix): item.content
            for item in self.files
            if item.component == component and item.path.startswith(prefix)
        }

    @property
    def digest(self) -> str:
        """SHA-256 over every file with its mode and owner, and over all variables."""
        return hashlib.sha256(json.dumps(self._manifest(), sort_keys=True).encode()).hexdigest()

    def _manifest(self) -> dict[str, Any]:
        files = [
            [item.build_path, item.mode, item.owner, item.group, hashlib.sha256(item.content.encode()).hexdigest()]
            for item in self.files
        ]
        return {"files": files, "hosts": self.host_vars, "all": self.all_vars}

    def write(self, directory: Path) -> None:
        """Make `directory` hold exactly this tree, mode 0700, with a manifest.json per host."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
        wanted: dict[Path, str] = {directory / item.build_path: item.content for item in self.files}
        for host in {item.host for item in self.files}:
            wanted[directory / host / "manifest.json"] = json.dumps(self.manifest(host), indent=1) + "\n"
        for path, content in wanted.items():
            if not path.is_file() or path.read_text(encoding="utf-8") != content:
                write_whole(path, content, 0o644)
        for path in sorted(directory.rglob("*"), reverse=True):
            if path.is_dir():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path not in wanted:
                path.unlink()

    def manifest(self, host: str) -> list[dict[str, Any]]:
        """What verify and preview need to know of a host's files."""
        return [
            {
                "path": item.path,
                "mode": item.mode,
                "owner": item.owner,
                "group": item.group,
                "component": item.component,
                "secret": bool(item.secrets),
            }
            for item in self.files
            if item.host == host
        ]
