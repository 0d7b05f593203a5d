# SPDX-License-Identifier: MIT
"""Runs the engine through the SDK's Automation API: own state place, cleaned environment, events, graceful stop.

Loads the SDK: import it inside functions. Needs the extra `cloud`.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from json import JSONDecodeError
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation
from pulumi.automation.errors import CommandError, ConcurrentUpdateError, StackNotFoundError
from pulumi.automation.events import DiagnosticEvent, EngineEvent, StepEventMetadata

from ..cloud.engine import Engine
from ..cloud.failures import explain, lock_owners, without_frames
from ..cloud.plan import Step, add_guarded, kind_of, name_of, step_of
from ..cloud.release import LetGo, change_protection, holds_data
from ..errors import CouldNotRun
from ..files import write_whole
from ..model.outputs import Progress
from .engine_process import EngineCommand

#: inputs that say whether a bucket is emptied when it goes
_EMPTIED = {"forceDestroy", "force_destroy"}
#: how the engine refuses to remove or replace what is protected
_GUARDED = re.compile(r'resource "(?P<urn>urn:[^"]+)"\s(?=[^`]*protect)')
_COLOURS = re.compile(r"<\{%[^%]*%\}>")
_DOING = {
    "create": "creating",
    "create-replacement": "creating anew",
    "delete-replaced": "removing the replaced",
    "update": "changing",
    "delete": "removing",
    "refresh": "looking at",
}


@dataclass(frozen=True)
class Project:
    """One stack of one engine project, and all its children may know.

    name, stack: the engine's names. program: the folder of `__main__.py`; nothing is written there.
    work: private folder for the project file and the stack's settings. config: the stack's settings.
    environment: every variable of the child, credentials and passphrase among them. interpreter: prefix of the Python
    environment the program runs in. pack: folder of the policy pack, None to leave it out. log: file for its output.
    unlock: the command that removes a lock left behind.
    """

    name: str
    stack: str
    program: Path
    work: Path
    config: Mapping[str, str]
    environment: Mapping[str, str] = field(repr=False)
    interpreter: Path = Path(sys.prefix)
    pack: Path | None = None
    log: Path | None = None
    unlock: str = ""
    secrets_provider: str = ""


class EngineStack:
    """A stack of the engine: what it would do, do it, its outputs, remove it, unlock it.

    redact: takes secrets out of a line. note: told what the operator must know at once.
    """

    def __init__(
        self, engine: Engine, project: Project, redact: Callable[[str], str], note: Progress = lambda text: None
    ) -> None:
        self.project = project
        self._redact, self._note = redact, note
        self._command = EngineCommand(engine, project.environment, project.log, redact, note)
        self._errors: list[str] = []
        #: what the last run warned of
        self.warnings: list[str] = []
        #: urn → what the last run or plan let go of, or would: it stays in the cloud
        self.let_go: dict[str, LetGo] = {}
        #: urns that the engine refused to remove or to replace
        self._guarded: list[str] = []
        self._stack: automation.Stack | None = None

    def exists(self) -> bool:
        """Whether the state holds this stack."""
        with self._understood("reading the state"):
            try:
                self._open(create=False)
            except StackNotFoundError:
                return False
        return True

    def preview(self, progress: Progress = lambda text: None) -> list[Step]:
        """What `up` would do now, after looking at the cloud. Changes nothing in the cloud.

        The engine ends a plan at the first thing that is protected and may not stay as it is: what is known until then
        is returned with everything that would be removed so.
        """
        steps: dict[str, Step] = {}
        try:
            self._run(
                "preview",
                lambda stack, seen: stack.preview(refresh=True, on_event=seen, **self._packs()),
                progress,
                steps,
            )
        except CouldNotRun:
            if self._errors or not self._guarded:
                raise
            add_guarded(steps, self._guarded, self.resources())
        return list(steps.values())

    def up(self, progress: Progress) -> list[Step]:
        """Bring the cloud to the wanted state; what was deleted behind the engine's back is made again."""
        steps: dict[str, Step] = {}
        self._run(
            "up",
            lambda stack, seen: stack.up(refresh=True, on_event=seen, show_secrets=False, **self._packs()),
            progress,
            steps,
        )
        return list(steps.values())

    def outputs(self) -> tuple[dict[str, Any], frozenset[str]]:
        """The stack's exports by name, secrets included, and the names of those that are secret."""
        with self._understood("reading the outputs"):
            found = self._open(create=False).outputs()
        return {name: item.value for name, item in found.items()}, frozenset(
            n for n, item in found.items() if item.secret
        )

    def resources(self) -> list[dict[str, Any]]:
        """Every resource in the state: urn, type, id, protect … (secrets stay encrypted)."""
        return list((self._export().get("deployment") or {}).get("resources") or [])

    def cut_off(self) -> list[str]:
        """Names of resources whose creation an earlier run began and never saw the end of."""
        pending = (self._export().get("deployment") or {}).get("pending_operations") or []
        return [
            name_of(str(item.get("resource", {}).get("urn", ""))) for item in pending if item.get("type") == "creating"
        ]

    def destroy(self, progress: Progress, *, with_data: bool) -> list[dict[str, Any]]:
        """Remove what `up` made, protected resources only with_data; returns the resources that are left.

        The program is not run: what may no longer be deployed can still be removed.
        """
        if with_data:
            self._release_data()
        self._run(
            "destroy",
            lambda stack, seen: stack.destroy(
                refresh=True, on_event=seen, exclude_protected=not with_data or None, show_secrets=False
            ),
            progress,
            {},
        )
        if not with_data:
            return self.resources()
        self._plain(["stack", "rm", "--yes", self.project.stack], "removing the state")
        return []

    def release(self, names: Collection[str], *, again: bool = False) -> None:
        """In the state: the engine forgets these volumes and buckets once nobody wants them, and removes none.

        names: the engine's own. again: protect them as before. A program that wants one protects it by itself.
        """
        doing = "putting the protection of data back" if again else "letting go of data"
        with self._edited(doing) as resources:
            change_protection(resources, names, again=again)

    def _release_data(self) -> None:
        """In the state: data may go, and a bucket goes with what is in it."""
        with self._edited("taking the protection off data") as resources:
            for resource in resources:
                resource.pop("protect", None)
                for values in (resource.get("inputs") or {}, resource.get("outputs") or {}):
                    values.update(dict.fromkeys(_EMPTIED & values.keys(), True))

    @contextmanager
    def _edited(self, doing: str) -> Iterator[list[dict[str, Any]]]:
        """The resources of the state, written back when the block ends. Secrets in it stay encrypted."""
        state = self._export()
        yield (state.get("deployment") or {}).get("resources") or []
        path = self.project.work / "release.json"
        write_whole(path, json.dumps(state), 0o600)
        try:
            self._plain(["stack", "import", "--file", str(path), "--stack", self.project.stack], doing)
        finally:
            path.unlink(missing_ok=True)

    def unlock(self) -> None:
        """Remove a lock that a run left behind. Dangerous while that run goes on."""
        with self._understood("removing the lock"):
            self._open(create=False).cancel()

    @property
    def _state_is_here(self) -> bool:
        """Whether only this machine has the state: of a shared one, another's container may have this one's name."""
        return self.project.environment.get("PULUMI_BACKEND_URL", "").startswith("file://")

    def _packs(self) -> dict[str, Any]:
        return {"policy_packs": [str(self.project.pack)]} if self.project.pack else {}

    def _plain(self, words: Sequence[str], doing: str) -> str:
        with self._understood(doing):
            stack = self._open(create=False)
            return str(stack.workspace.pulumi_command.run(list(words), stack.workspace.work_dir, {}).stdout)

    def _export(self) -> dict[str, Any]:
        doing = "reading the state"
        text = self._plain(["stack", "export", "--stack", self.project.stack], doing)
        with self._understood(doing):
            return dict(json.loads(text))

    def _run(
        self,
        doing: str,
        call: Callable[[automation.Stack, Callable[[EngineEvent], None]], object],
        progress: Progress,
        steps: dict[str, Step],
    ) -> None:
        self._errors, self._guarded, self.warnings = [], [], []
        self.let_go = {}

        def seen(event: EngineEvent) -> None:
            if event.resource_pre_event:
                metadata = event.resource_pre_event.metadata
                _note_step(metadata, steps)
                if _let_go(metadata) and metadata.old and holds_data(metadata.type):
                    name = name_of(metadata.urn)
                    self.let_go[metadata.urn] = LetGo(kind_of(metadata.type), name, metadata.old.id)
                if metadata.op.value in _DOING and not event.resource_pre_event.planning and not _let_go(metadata):
                    progress(f"{_DOING[metadata.op.value]} {name_of(metadata.urn)}")
            elif event.diagnostic_event:
                self._diagnostic(event.diagnostic_event)
            elif event.policy_event and event.policy_event.enforcement_level == "mandatory":
                self._errors.append(f"refused by policy: {_plain_text(event.policy_event.message)}")

        with self._understood(doing):
            try:
                call(self._open(create=doing != "destroy"), seen)
            except ConcurrentUpdateError as error:
                if not (self._state_is_here and _left_behind(str(error))):
                    raise
                self._note("removing the lock of a run on this machine that has ended")
                self._open(create=False).cancel()
                self._errors = []
                call(self._open(create=False), seen)

    @contextmanager
    def _understood(self, doing: str) -> Iterator[None]:
        """What the engine, or the SDK of its answers, makes of a call that fails, as CouldNotRun."""
        try:
            yield
        except CommandError as error:
            raise self._failure(error, doing) from error
        except (JSONDecodeError, RuntimeError) as error:
            # the SDK's word for a run that ended without saying what it did
            if isinstance(error, RuntimeError) and "summary event" not in str(error):
                raise
            program = self._command.command
            raise CouldNotRun(
                f"the engine ended without an answer that can be read ({doing}): {error}\n"
                f"  Is {program} the official program, and whole? suite-deploy doctor NAME says what was found."
            ) from error

    def _diagnostic(self, event: DiagnosticEvent) -> None:
        text = without_frames(_plain_text(event.message))
        if event.severity == "warning" and text and not event.ephemeral:
            self.warnings.append(text)
        if event.severity == "error":
            name = name_of(event.urn or "")
            guarded = _GUARDED.search(text)
            if guarded:
                self._guarded.append(guarded["urn"])
            elif text and text not in ("update failed", "preview failed"):
                self._errors.append(f"{name}: {text}" if name else text)

    def _failure(self, error: CommandError, doing: str) -> CouldNotRun:
        guarded = [f"{name_of(urn)}: is protected" for urn in self._guarded]
        said = list(dict.fromkeys([*self._errors, *guarded])) or [_tail(str(error))]
        locked = isinstance(error, ConcurrentUpdateError)
        text = str(error) if locked else "\n".join(said)
        return CouldNotRun(self._redact(explain(text, doing=doing, log=self.project.log, unlock=self.project.unlock)))

    def _open(self, *, create: bool) -> automation.Stack:
        """The stack, made when wanted. Raises the SDK's errors."""
        if self._stack is None:
            project = self.project
            project.work.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(project.work / "Pulumi.yaml", _project_file(project), 0o600)
            workspace = automation.LocalWorkspace(
                work_dir=str(project.work),
                pulumi_command=self._command,
                secrets_provider=project.secrets_provider or None,
            )
            settings = project.work / f"Pulumi.{project.stack}.yaml"
            try:
                opened = automation.Stack.select(project.stack, workspace)
            except StackNotFoundError:
                if not create:
                    raise
                settings.unlink(missing_ok=True)
                opened = automation.Stack.create(project.stack, workspace)
            _write_settings(settings, project, opened)
            self._stack = opened
        return self._stack


def _project_file(project: Project) -> str:
    runtime = {"name": "python", "options": {"toolchain": "pip", "virtualenv": str(project.interpreter)}}
    content = {"name": project.name, "main": str(project.program), "runtime": runtime}
    return yaml.safe_dump(content, sort_keys=False)


def _write_settings(path: Path, project: Project, stack: automation.Stack) -> None:
    """The stack's settings: ours, and how its secrets are encrypted, from the state where this machine lacks that."""
    known = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    content: dict[str, Any] = dict(known or {})
    if not content.keys() & {"encryptionsalt", "encryptedkey"}:
        command = stack.workspace.pulumi_command
        text = command.run(["stack", "export", "--stack", project.stack], stack.workspace.work_dir, {}).stdout
        providers = (json.loads(text).get("deployment") or {}).get("secrets_providers") or {}
        known_as = {"salt": "encryptionsalt", "url": "secretsprovider", "encryptedkey": "encryptedkey"}
        said = providers.get("state") or {}
        content |= {name: said[key] for key, name in known_as.items() if said.get(key)}
    content["config"] = dict(project.config)
    write_whole(path, yaml.safe_dump(content, sort_keys=True), 0o600)


def _note_step(metadata: StepEventMetadata, steps: dict[str, Step]) -> None:
    old, new = (vars(state) if state else None for state in (metadata.old, metadata.new))
    changed = metadata.keys or metadata.diffs or ()
    step = step_of(metadata.op.value, metadata.type, metadata.urn, old=old, new=new, changed=changed)
    # A replacement comes as several steps; the one that says so counts, whatever comes after it.
    if step and not (metadata.urn in steps and steps[metadata.urn].action == "replace"):
        steps[metadata.urn] = step


def _let_go(metadata: StepEventMetadata) -> bool:
    """Whether a removal is one from the state alone, and the thing stays in the cloud."""
    return metadata.op.value == "delete" and bool(metadata.old and getattr(metadata.old, "retain_on_delete", None))


def _left_behind(text: str) -> bool:
    """Whether every lock the engine names is of a process of this machine that is no more: it protects nobody.

    The suite's own lock, which ends with its holder, is held by us while the engine runs.
    """
    owners = lock_owners(text)
    here = f"@{socket.gethostname()}"
    return bool(owners) and all(who.endswith(here) and not _runs(pid) for who, pid, _ in owners)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _plain_text(message: str) -> str:
    return _COLOURS.sub("", message).strip()


def _tail(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("error:", "stderr: error:"))]
    return "\n".join(errors or lines[-5:])
