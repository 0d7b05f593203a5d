# SPDX-License-Identifier: MIT
"""A TEST DOUBLE of the engine, with the interface of the product's own stack of it: runs the unmodified program.

What it decides, it decides as the engine does: look at what there is, compare, then create, change, replace, remove or
leave; what was made before something failed is remembered. Who makes things, and where, is a Realiser's to say. It is
no engine: one process, no parallel limit, no policy pack, a state in plain JSON, and a plan is what the program asks
for with everything new unknown.

    monkeypatch.setattr("suite_deploy.runners.pulumi.EngineStack", standing_on(realiser))
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pulumi
from pulumi.runtime import rpc

from suite_deploy.cloud.engine import Engine
from suite_deploy.cloud.failures import explain, without_frames
from suite_deploy.cloud.plan import Step, kind_of, step_of
from suite_deploy.cloud.release import LetGo, change_protection, holds_data
from suite_deploy.errors import CouldNotRun
from suite_deploy.model.outputs import Progress
from suite_deploy.runners.pulumi import Project
from tests.stacks.realiser import Asked, Inputs, Kept, Realiser, revealed, shown
from tests.stacks.support import Recorded, Recorder, run_program

DOING = {"create": "creating", "update": "changing", "replace": "creating anew", "delete": "removing"}


def standing_on(realiser: Realiser) -> Callable[..., RealisingStack]:
    """What stands in for `suite_deploy.runners.pulumi.EngineStack`: made with the same arguments."""
    return partial(RealisingStack, realiser)


class Failed(Exception):
    """Something failed in this run: nothing more is begun."""


class RealisingStack:
    """A stack as the product drives it."""

    #: operations of the last `up` or `destroy` of any stack, name → operation
    did: ClassVar[dict[str, str]] = {}

    def __init__(
        self,
        realiser: Realiser,
        engine: Engine,
        project: Project,
        redact: Callable[[str], str],
        note: Progress = lambda text: None,
    ) -> None:
        self.project, self.warnings = project, list[str]()
        self.let_go: dict[str, LetGo] = {}
        self._realiser, self._redact, self._note = realiser, redact, note
        folder = urlsplit(project.environment["PULUMI_BACKEND_URL"])
        assert folder.scheme == "file", "this double keeps its state in a file"
        self.file = Path(folder.path) / f"{project.stack}.realised.json"

    # what the product asks for

    def exists(self) -> bool:
        return self.file.exists()

    def preview(self, progress: Progress = lambda text: None) -> list[Step]:
        self._begin()
        return list(self._run("preview", progress).steps.values())

    def up(self, progress: Progress) -> list[Step]:
        self._begin()
        run = self._run("up", progress)
        going = [kept for kept in self._youngest_first(run.state) if kept.urn not in run.wanted]
        for kept in going:
            self._remove(kept, run, going)
        run.state.exports = run.recorded.outputs
        run.state.secret = sorted(run.recorded.secrets)
        run.state.save()
        return list(run.steps.values())

    def outputs(self) -> tuple[dict[str, Any], frozenset[str]]:
        state = State.read(self.file)
        return dict(state.exports), frozenset(state.secret)

    def resources(self) -> list[dict[str, Any]]:
        return [
            {**asdict(kept), "custom": True, "retainOnDelete": kept.retain}
            for kept in State.read(self.file).kept.values()
        ]

    def cut_off(self) -> list[str]:
        return list(State.read(self.file).pending.values())

    def destroy(self, progress: Progress, *, with_data: bool) -> list[dict[str, Any]]:
        self._begin()
        run = Run(self, State.read(self.file), "destroy", progress)
        with exactly(self.project.environment):
            self._realiser.start(self.project.environment)
            going = [kept for kept in self._youngest_first(run.state) if with_data or not kept.protect]
            for kept in going:
                self._remove(kept, run, going, with_data=with_data)
        if with_data:
            self.file.unlink()
            return []
        return self.resources()

    def release(self, names: Collection[str], *, again: bool = False) -> None:
        state = State.read(self.file)
        for kept in state.kept.values():
            options = {"urn": kept.urn, "type": kept.type, "protect": kept.protect, "retainOnDelete": kept.retain}
            change_protection([options], names, again=again)
            kept.protect, kept.retain = bool(options["protect"]), bool(options["retainOnDelete"])
        state.save()

    def unlock(self) -> None:
        """There is no lock here."""

    # how

    def _begin(self) -> None:
        self.warnings, self.let_go = [], {}
        RealisingStack.did.clear()
        if not self.exists():
            State(self.file).save()

    def _run(self, doing: str, progress: Progress) -> Run:
        run = Run(self, State.read(self.file), doing, progress)
        try:
            with exactly(self.project.environment):
                self._realiser.start(self.project.environment)
                try:
                    run.recorded = run_program(
                        self.project.program,
                        run,
                        stack=self.project.stack,
                        environment={},
                        config=self.project.config,
                        preview=doing == "preview",
                        recorder=Listening,
                    )
                finally:
                    run.settle()
        # whatever a program or a provider raises, the engine says it and ends
        except Exception as error:
            if run.interrupted:
                raise KeyboardInterrupt from error
            if not run.errors and not isinstance(error, pulumi.RunError):
                raise
            raise self._failure(run.errors or [str(error)], doing) from error
        finally:
            run.state.save()
        for urn, kept in run.state.kept.items():
            if urn not in run.wanted:
                if kept.retain and holds_data(kept.type):
                    self.let_go[urn] = LetGo(kind_of(kept.type), kept.name, kept.id)
                run.note(
                    "delete",
                    Asked(kept.type, kept.name, urn, kept.inputs, kept.protect),
                    kept,
                )
        return run

    def _remove(self, kept: Kept, run: Run, going: list[Kept], *, with_data: bool = False) -> None:
        if kept.protect and not with_data:
            said = f"{kept.name}: resource {kept.urn!r} cannot be deleted because it is protected."
            raise self._failure([said], run.doing)
        try:
            by_another = kept.with_ in [one.urn for one in going]
            if not kept.retain and not by_another and self._realiser.find(kept) is not None:
                run.progress(f"removing {kept.name}")
                self._realiser.delete(kept)
        # a provider's refusal, in its own words
        except Exception as error:
            run.state.save()
            raise self._failure([f"{kept.name}: {error}"], run.doing) from error
        del run.state.kept[kept.urn]
        run.state.save()
        RealisingStack.did[kept.name] = "delete"

    def _youngest_first(self, state: State) -> list[Kept]:
        graph = {
            urn: [one for one in (*kept.after, kept.with_) if one in state.kept] for urn, kept in state.kept.items()
        }
        return [state.kept[urn] for urn in reversed(list(TopologicalSorter(graph).static_order()))]

    def _failure(self, said: list[str], doing: str) -> CouldNotRun:
        text = "\n".join(dict.fromkeys(without_frames(one) for one in said))
        return CouldNotRun(self._redact(explain(text, doing=doing, log=self.project.log, unlock=self.project.unlock)))


@dataclass
class State:
    """What is remembered between runs. pending: creations begun whose end nobody saw, urn → name."""

    file: Path
    kept: dict[str, Kept] = field(default_factory=dict)
    pending: dict[str, str] = field(default_factory=dict)
    exports: dict[str, Any] = field(default_factory=dict)
    secret: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, file: Path) -> State:
        content = json.loads(file.read_text()) if file.exists() else {}
        kept = {one["urn"]: Kept(**{**one, "after": tuple(one["after"])}) for one in content.pop("kept", [])}
        return cls(file, kept, **content)

    def save(self) -> None:
        content = {"kept": [asdict(one) for one in self.kept.values()], "pending": self.pending}
        content |= {"exports": self.exports, "secret": self.secret}
        part = self.file.with_name(self.file.name + ".part")
        part.touch(mode=0o600)
        part.write_text(json.dumps(content, indent=1))
        part.replace(self.file)


class Run(pulumi.runtime.Mocks):
    """One run of the program; what the program asks for is planned or made."""

    def __init__(self, stack: RealisingStack, state: State, doing: str, progress: Progress) -> None:
        self.state, self.doing, self.progress = state, doing, progress
        self.steps: dict[str, Step] = {}
        self.errors: list[str] = []
        self.wanted: set[str] = set()
        self.interrupted = False
        self.recorded = Recorded()
        #: what the program registers just now, by thread
        self.asking = threading.local()
        self._realiser = stack._realiser
        self._lock = threading.Lock()
        self._inside, self._busy = threading.Condition(), 0

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        try:
            return self._realiser.call(args.token, args.args)
        # a provider's refusal reaches the program in the provider's own words
        except Exception as error:
            return {}, [("", str(error))]

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        asked: Asked = self.asking.now
        if asked.type.startswith("pulumi:providers:"):
            self._realiser.provider(asked.type, asked.known)
        if not args.custom or not self._realiser.makes(asked.type):
            return asked.name, asked.inputs
        self.wanted.add(asked.urn)
        if self.errors or self.interrupted:
            raise Failed(asked.name)
        with self._inside:
            self._busy += 1
        try:
            return self._brought(asked)
        except KeyboardInterrupt:
            self.interrupted = True
            raise Failed(asked.name) from None
        # whatever a provider raises, the engine says whose it is
        except Exception as error:
            self.errors.append(f"{asked.name}: {error}")
            raise
        finally:
            with self._inside:
                self._busy -= 1
                self._inside.notify_all()

    def settle(self) -> None:
        """Wait for what is under way: the program ends with its first error, other threads go on."""
        with self._inside:
            self._inside.wait_for(lambda: not self._busy)

    def _brought(self, asked: Asked) -> tuple[str, Inputs]:
        kept = self.state.kept.get(asked.urn)
        asked = Asked(**{**vars(asked), "inputs": self._realiser.check(asked, kept)})
        outs = self._realiser.find(kept) if kept else None
        if kept is None or outs is None:
            # an engine's refresh forgets what is gone, whatever becomes of the new one
            if kept and self.doing != "preview":
                self._forget(kept)
            self.note("create", asked, None)
            return self._made(asked, "create")
        kept.outs = outs
        wanted = {**asked.inputs, **{key: kept.inputs[key] for key in asked.ignored if key in kept.inputs}}
        difference = self._realiser.compare(kept, wanted)
        op = "replace" if difference.replace else "update" if difference.changed else "same"
        self.note(op, asked, kept, difference.changed)
        if self.doing == "preview":
            return (kept.id, kept.outs) if op == "same" else ("" if op == "replace" else kept.id, asked.inputs)
        if op == "replace":
            return self._replaced(asked, kept)
        if op == "update":
            kept.outs, kept.inputs = self._realiser.update(kept, wanted), wanted
        kept.protect, kept.after, kept.begun, kept.retain = asked.protect, asked.after, False, asked.retain
        kept.from_, kept.with_ = asked.from_, asked.with_
        return kept.id, kept.outs

    def _replaced(self, asked: Asked, kept: Kept) -> tuple[str, Inputs]:
        if asked.delete_first:
            self._let_go(kept)
        made = self._made(asked, "replace")
        if not asked.delete_first:
            self._realiser.delete(kept)
        return made

    def _let_go(self, kept: Kept) -> None:
        """Remove what is made anew, and before it what a new one of it would make anew: as engines before 3.260 do.

        Source: github.com/pulumi/pulumi, pkg/resource/deploy/step_generator.go, calculateDependentReplacements
        """
        for one in list(self.state.kept.values()):
            unknown = {key: pulumi.output.UNKNOWN for key, urns in one.from_.items() if kept.urn in urns}
            if unknown and self._realiser.compare(one, {**one.inputs, **unknown}).replace:
                self._let_go(one)
        self._realiser.delete(kept)
        self._forget(kept)

    def _made(self, asked: Asked, op: str) -> tuple[str, Inputs]:
        if self.doing == "preview":
            return "", asked.inputs

        def begun(id: str) -> None:
            self._keep(asked, id, {}, begun=True)

        id, outs = self._realiser.create(asked, begun)
        self._keep(asked, id, outs)
        return id, outs

    def _forget(self, kept: Kept) -> None:
        with self._lock:
            del self.state.kept[kept.urn]
            self.state.save()

    def _keep(self, asked: Asked, id: str, outs: Inputs, *, begun: bool = False) -> None:
        with self._lock:
            kept = Kept(asked.type, asked.name, asked.urn, id, asked.inputs, outs, asked.protect, begun)
            kept.after, kept.retain, kept.from_, kept.with_ = asked.after, asked.retain, asked.from_, asked.with_
            self.state.kept[asked.urn] = kept
            self.state.save()

    def note(self, op: str, asked: Asked, kept: Kept | None, changed: tuple[str, ...] = ()) -> None:
        """Remember what happens to a resource, and tell who watches."""
        old = {"custom": True, "protect": kept.protect, "inputs": shown(kept.inputs)} if kept else None
        if old and kept and kept.retain:
            old["retain_on_delete"] = True
        new = {"custom": True, "protect": asked.protect, "inputs": shown(asked.known)} if op != "delete" else None
        step = step_of(op, asked.type, asked.urn, old=old, new=new, changed=changed)
        with self._lock:
            if step:
                self.steps[asked.urn] = step
        if self.doing == "up" and op != "delete":
            RealisingStack.did[asked.name] = op
            if op in DOING:
                self.progress(f"{DOING[op]} {asked.name}")


class Listening(Recorder):
    """Tells a run what mocks are not told: options and unknown values."""

    def RegisterResource(self, request: Any) -> Any:
        run = self.mocks
        assert isinstance(run, Run)
        found = rpc.deserialize_properties(request.object, keep_unknowns=True) if request.object else {}
        run.asking.now = Asked(
            type=request.type,
            name=request.name,
            urn=self.make_urn(request.parent, request.type, request.name),
            inputs={key: revealed(value) for key, value in found.items() if value is not None},
            protect=request.protect,
            delete_first=request.deleteBeforeReplace,
            ignored=tuple(request.ignoreChanges),
            after=tuple(request.dependencies),
            retain=request.retainOnDelete,
            from_={key: list(dependencies.urns) for key, dependencies in request.propertyDependencies.items()},
            with_=request.deletedWith,
        )
        register: Any = super().RegisterResource
        return register(request)


@contextmanager
def exactly(environment: Mapping[str, str]) -> Iterator[None]:
    """This process's environment is the engine's own, for as long as the block lasts."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
