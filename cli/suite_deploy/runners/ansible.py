# SPDX-License-Identifier: MIT
"""Runs the one playbook as a process and reads its events; secrets reach it as the file they are kept in."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import CouldNotRun
from ..model.outputs import Progress
from ..model.statefiles import LOGS
from ..paths import resource_root
from ..render.inventory import CONFIG, INVENTORY
from .process import clean_environment, run


@dataclass
class Converged:
    """What a run of the playbook did. changed: host → tasks that changed something."""

    changed: dict[str, list[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    tasks: int = 0
    #: whether the playbook ended with status 0
    ok: bool = False

    @property
    def changes(self) -> int:
        """How many task results changed something."""
        return sum(len(tasks) for tasks in self.changed.values())


def converge(
    state: Path,
    secrets_file: Path,
    vault_password_file: Path | None = None,
    *,
    progress: Progress,
    redact: Callable[[str], str],
    stack_secrets: Path | None = None,
) -> Converged:
    """Run roles/site.yml over the generated inventory in `state`.

    secrets_file: an Ansible variables file: plain and private, or with vaulted values that Ansible itself opens with
    vault_password_file. stack_secrets: another such file, with what the infrastructure made. redact: applied to all
    that is kept or shown.
    Raises CouldNotRun with what failed, on which host, and where the log is.
    """
    result = Converged()
    log = state / LOGS / "ansible.log"
    if log.exists():
        log.replace(log.with_suffix(".1.log"))

    def on_line(line: str) -> None:
        event = _event(line)
        if event:
            _note(result, event, progress)

    command = [
        sys.executable,
        "-m",
        "ansible",
        "playbook",
        f"--inventory={state / INVENTORY}",
        f"--extra-vars=@{secrets_file}",
        *([f"--extra-vars=@{stack_secrets}"] if stack_secrets else []),
        *([f"--vault-password-file={vault_password_file}"] if vault_password_file else []),
        str(resource_root() / "roles" / "site.yml"),
    ]
    environment = clean_environment(
        {
            "ANSIBLE_CONFIG": str(state / CONFIG),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.jsonl",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_DEPRECATION_WARNINGS": "0",
        }
    )
    finished = run(
        command,
        environment=environment,
        directory=resource_root(),
        on_line=on_line,
        log=log,
        redact=redact,
        check=False,
    )
    result.ok = finished.status == 0
    if not result.ok:
        what = result.failures or [line for line in finished.tail if not line.startswith("{")] or list(finished.tail)
        raise CouldNotRun("\n".join([*what, f"  The whole run: {log}", "  Run the same command again to go on."]))
    return result


def _event(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "_event" in event else None


def _note(result: Converged, event: dict[str, Any], progress: Progress) -> None:
    kind = event["_event"]
    name = event.get("task", {}).get("name", "")
    if kind in ("v2_playbook_on_task_start", "v2_playbook_on_handler_task_start"):
        result.tasks += 1
        progress(name)
    elif kind == "v2_runner_on_ok":
        for host, outcome in event.get("hosts", {}).items():
            if outcome.get("changed"):
                result.changed.setdefault(host, []).append(name)
    elif kind in ("v2_runner_on_failed", "v2_runner_on_unreachable"):
        for host, outcome in event.get("hosts", {}).items():
            result.failures.append(f"{host}: {name}: {_reason(outcome)}")


def _reason(outcome: dict[str, Any]) -> str:
    failed = [item for item in outcome.get("results", []) if item.get("failed")]
    if failed:
        return "; ".join(_reason(item) for item in failed)
    parts = [str(outcome.get(key, "")).strip() for key in ("msg", "stderr", "module_stderr")]
    item = f"({outcome['item']}) " if isinstance(outcome.get("item"), str) else ""
    return item + (" ".join(part for part in parts if part) or "failed without a message")
