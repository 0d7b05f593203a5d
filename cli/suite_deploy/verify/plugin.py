# SPDX-License-Identifier: MIT
"""The pytest plugin of a verification: which checks run over what, and findings out of their reports."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from ..errors import SuiteError
from ..model.deployment import Component
from ..model.outputs import Progress
from .expected import web_names
from .fixtures import CONTEXT, LOOK, ClosedPath, Context, Look
from .result import Finding, Status
from .selection import matches

_GROUPS = ("facts", "journeys")
#: marker of checks that say the same of every subject
ONE_SUBJECT = "one_subject"
_LONGEST_MESSAGE = 2000


class VerifyPlugin:
    """Lives for one run; holds what the checks look at and what they found."""

    def __init__(self, context: Context, *, redact: Callable[[str], str], only: str | None, progress: Progress):
        self._context = context
        self._deployment = context.deployment
        self._redact = redact
        self._only = only
        self._progress = progress
        self._started: dict[str, float] = {}
        self.findings: list[Finding] = []
        self.interrupted = False
        self.internal_error = ""

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[CONTEXT] = self._context
        config.addinivalue_line("markers", f"{ONE_SUBJECT}: looked at with the first of its subjects only")

    # which checks, over what

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        own = self._components_of(metafunc.definition.path)
        subjects: dict[str, list[tuple[str, Any]]] = {
            "machine": [(host.name, host.name) for host in self._context.outputs.hosts],
            "component": [(item.slug, item) for item in (own or self._deployment.ordered)],
            "relying_party": [
                (item.slug, item) for item in self._deployment.ordered if item.description.needs.oidc_client
            ],
            "database_client": [
                (item.slug, item) for item in self._deployment.ordered if item.description.needs.postgresql
            ],
            "cache_client": [(item.slug, item) for item in self._deployment.ordered if item.description.needs.valkey],
            "public_name": [(name, name) for name in self._deployment.public_names],
            "web_name": [(name, name) for name in web_names(self._deployment)],
            "closed_path": [
                (f"{item.slug}{path}", ClosedPath(item, f"{item.url}{path}"))
                for item in self._deployment.ordered
                for path in item.description.closed_paths
                if item.url
            ],
        }
        for name, values in subjects.items():
            if name in metafunc.fixturenames:
                if metafunc.definition.get_closest_marker(ONE_SUBJECT):
                    values = values[:1]
                ids = [identity for identity, _ in values]
                metafunc.parametrize(name, [value for _, value in values], ids=ids, indirect=True)

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        # a check over nothing, such as buckets where nobody has one, is no check
        items[:] = [item for item in items if not item.name.endswith("[NOTSET]")]
        order = {group: index for index, group in enumerate(_GROUPS)}
        items.sort(key=lambda item: order.get(self.identity(item).partition("/")[0], len(order)))
        if self._only is not None:
            items[:] = [item for item in items if matches(self.identity(item), self._only)]

    def _components_of(self, path: Path) -> list[Component]:
        """The components whose own check a file is: several when there are copies of one."""
        return [item for item in self._deployment.ordered if path.is_relative_to(item.folder)]

    def _subject(self, item: pytest.Item) -> Component | None:
        """The one component a check looks at, if there is one."""
        callspec = getattr(item, "callspec", None)
        for value in callspec.params.values() if callspec else ():
            found = value.component if isinstance(value, ClosedPath) else value
            if isinstance(found, Component):
                return found
        return next(iter(self._components_of(item.path)), None)

    def identity(self, item: pytest.Item) -> str:
        """The stable name of a check."""
        own = self._subject(item) if self._components_of(item.path) else None
        group = own.slug if own else item.path.parent.name
        name = item.name.removeprefix("test_")
        if own:
            # the component is in the name already
            name = name.replace(f"[{own.slug}]", "")
        return f"{group}/{item.path.stem.removeprefix('test_')}/{name}"

    # what came out

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._started[nodeid] = time.monotonic()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Any:
        self._progress(_title(item))
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        report = yield
        if report.when == "call" or report.outcome != "passed":
            self._record(item, call, report)
        return report

    def _record(self, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
        identity = self.identity(item)
        status: Status = report.outcome
        look = item.stash.get(LOOK, Look())
        message, journal = "", ""
        hints: tuple[str, ...] = ()
        if status == "skipped":
            message = _reason(call)
        elif status == "failed":
            message = ("could not be looked at: " if report.when != "call" else "") + explain(call.excinfo)
            hints, journal = look.lines(), self._journal(look)
        subject = self._subject(item)
        finding = Finding(
            identity,
            status,
            _title(item),
            self._redact(message),
            tuple(self._redact(hint) for hint in hints),
            self._redact(journal),
            time.monotonic() - self._started.get(item.nodeid, time.monotonic()),
            self._context.images.get(subject.slug, "") if subject else "",
        )
        # a check whose cleaning up failed too is one failed check
        self.findings = [one for one in self.findings if one.id != identity or one.status == "failed"]
        if all(one.id != identity for one in self.findings):
            self.findings.append(finding)

    def _journal(self, look: Look) -> str:
        parts = []
        for host, unit in look.units:
            machine = self._context.machines.get(host)
            if machine is None:
                continue
            try:
                text = machine.journal(unit)
            except SuiteError as error:
                text = str(error)
            parts.append(f"{unit} on {host}:\n{text or '(its journal is empty)'}")
        return "\n".join(parts)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            text = self._redact(str(report.longrepr))
            self.findings.append(Finding(f"collect/{report.nodeid}", "failed", "checks can be read", text))

    def pytest_internalerror(self, excrepr: Any) -> None:
        self.internal_error = self._redact(str(excrepr))

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        # pytest's own reasons to stop are subclasses
        self.interrupted = excinfo.type is KeyboardInterrupt


def _title(item: pytest.Item) -> str:
    function, bracket, subject = item.name.partition("[")
    words = function.removeprefix("test_").replace("_", " ")
    return f"{words} ({subject.rstrip(']')})" if bracket else words


def _reason(call: pytest.CallInfo[None]) -> str:
    return str(call.excinfo.value) if call.excinfo else ""


def explain(excinfo: pytest.ExceptionInfo[BaseException] | None) -> str:
    """What went wrong, in a few lines: the check's own words where it has some."""
    if excinfo is None:
        return ""
    error = excinfo.value
    text = str(error).strip()
    if isinstance(error, (AssertionError, pytest.fail.Exception, SuiteError)):
        # without its values, which pytest adds when it rewrote the check
        text = "" if text.startswith("assert ") else text.partition("\nassert ")[0]
        text = text or f"this does not hold: {str(excinfo.traceback[-1].statement).strip()}"
    else:
        text = f"{type(error).__name__}: {text}"
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}…"


#: parameters of URLs and tokens that open something, though no secret of the suite
_PASSING_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"([?&](?:code|state|nonce|session_state|[a-z_]*token)=)[^&\s\"']+", re.IGNORECASE), r"\1[hidden]"),
    (re.compile(r"(X-Amz-(?:Signature|Credential|Security-Token)(?:=|%3D))[^&\s\"'<>]+", re.IGNORECASE), r"\1[hidden]"),
    (re.compile(r"\beyJ[\w-]{10,}\.[\w-]*\.?[\w-]*"), "[hidden token]"),
    (re.compile(r"\bs[yt]t_\w{10,}"), "[hidden token]"),
    (re.compile(r"(Bearer )[\w.~+/=-]{10,}"), r"\1[hidden]"),
)


def hide_passing_secrets(text: str) -> str:
    """Text without tokens and codes that live for one session only."""
    for pattern, instead in _PASSING_SECRETS:
        text = pattern.sub(instead, text)
    return text


def component_fixtures(components: Iterable[Component]) -> list[Any]:
    """The modules with a component's own fixtures, ready to be registered."""
    import importlib.util

    modules = []
    for folder in dict.fromkeys(component.folder for component in components):
        path = folder / "verify" / "fixtures.py"
        if path.is_file():
            spec = importlib.util.spec_from_file_location(f"suite_verify_{folder.name.replace('-', '_')}", path)
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            modules.append(module)
    return modules
