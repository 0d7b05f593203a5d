# SPDX-License-Identifier: MIT
"""Inventories for stacks: copies of the shipped ones with an SSH key, judged on the register's own day."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from suite_deploy.model import components
from suite_deploy.policy import clock
from suite_deploy.policy.register import builtin
from tests.checkout import ROOT
from tests.stacks.archive import roles_with_it

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample0000000000000000000000000000000000 operator"
#: makes a copy of a shipped inventory with dotted keys changed (None removes), and returns its folder
MakeInventory = Callable[..., Path]


@pytest.fixture(autouse=True)
def registers_day(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The clock stands at the register's day, and no settings of this machine are around."""
    day, real = builtin().as_of, clock.paris_day
    moment = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    monkeypatch.setattr(clock, "paris_day", lambda now=None: real(now or moment))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("OS_CLOUD", "OS_REGION_NAME", "OS_AUTH_URL", "PULUMI_ACCESS_TOKEN", "PULUMI_BACKEND_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def make_inventory(tmp_path: Path) -> MakeInventory:
    def make(name: str, changes: Mapping[str, Any] | None = None) -> Path:
        folder = tmp_path / f"{name}-{len(list(tmp_path.iterdir()))}"
        shutil.copytree(ROOT / "inventories" / name, folder)
        key = tmp_path / "id_ed25519"
        key.with_name("id_ed25519.pub").write_text(PUBLIC_KEY + "\n")
        content = yaml.safe_load((folder / "suite.yml").read_text())
        for path, value in {"ssh.key": str(key), **(changes or {})}.items():
            *parents, last = path.split(".")
            place = content
            for part in parents:
                place = place.setdefault(part, {})
            if value is None:
                place.pop(last, None)
            else:
                place[last] = value
        (folder / "suite.yml").write_text(yaml.safe_dump(content, sort_keys=False))
        return folder

    return make


@pytest.fixture
def fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Makes the shipped components and one more those there are; its arguments change what that one needs."""

    def forget() -> None:
        components.slugs.cache_clear()
        components.describe.cache_clear()

    def add(**needs: Any) -> None:
        root = tmp_path / "fork"
        roles_with_it(root, **needs)
        monkeypatch.setattr(components, "resource_root", lambda: root)
        forget()

    yield add
    monkeypatch.undo()
    forget()
