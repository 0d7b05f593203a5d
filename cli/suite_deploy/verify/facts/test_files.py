# SPDX-License-Identifier: MIT
"""Installed files are the ones that were rendered, and secrets are for their service only."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from suite_deploy.model.deployment import Deployment
from suite_deploy.model.statefiles import BUILD
from suite_deploy.verify.fixtures import Look
from suite_deploy.verify.machines import Machine


def _manifest(build: Path) -> list[dict[str, Any]]:
    path = build / "manifest.json"
    if not path.is_file():
        pytest.skip(f"{path}: no component has files on this host")
    entries: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return entries


def test_files_are_as_they_were_rendered(machine: Machine, deployment: Deployment, look: Look) -> None:
    build = deployment.state_dir / BUILD / machine.name
    entries = _manifest(build)
    # a file with secrets was filled in on the host and cannot be compared here
    comparable = [entry["path"] for entry in entries if not entry["secret"]]
    found = machine.files([entry["path"] for entry in entries], comparable)
    wrong = []
    for entry in entries:
        path, fact = entry["path"], found.get(entry["path"])
        if fact is None:
            wrong.append(f"{path} is missing")
            continue
        owner = (fact.uid, fact.gid) if isinstance(entry["owner"], int) else (fact.owner, fact.group)
        if owner != (entry["owner"], entry["group"]):
            wrong.append(f"{path} belongs to {owner[0]}:{owner[1]}, not to {entry['owner']}:{entry['group']}")
        if int(fact.mode, 8) != int(entry["mode"], 8):
            wrong.append(f"{path} has mode {fact.mode}, not {entry['mode']}")
        rendered = build / path.lstrip("/")
        if not entry["secret"] and fact.sha256 != hashlib.sha256(rendered.read_bytes()).hexdigest():
            wrong.append(f"{path} was changed on the host")
    look.hint("suite-deploy up puts files back; suite-deploy preview --diff shows what differs")
    assert not wrong, f"on {machine.name}:\n" + "\n".join(wrong)


def test_no_file_with_a_secret_is_open_to_others(machine: Machine, deployment: Deployment) -> None:
    entries = [entry for entry in _manifest(deployment.state_dir / BUILD / machine.name) if entry["secret"]]
    if not entries:
        pytest.skip("no file on this host holds a secret")
    found = machine.files([entry["path"] for entry in entries])
    wrong = [f"{path} has mode {fact.mode}" for path, fact in found.items() if int(fact.mode, 8) & 0o007]
    assert not wrong, f"on {machine.name}:\n" + "\n".join(wrong)
