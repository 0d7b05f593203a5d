# SPDX-License-Identifier: MIT
"""One local host for all tests of roles. SUITE_TESTS_KEEP_HOST=NAME uses a host of that name and keeps it."""

from __future__ import annotations

import fcntl
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stacks.local import HostWanted, LocalDriver
from tests.roles import situations
from tests.roles.authority import Authority
from tests.roles.box import Box

STATE = Path("/var/tmp/suite-deploy-role-tests")
RUNS = pytest.StashKey[list]()


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority.make("suite under test")


@pytest.fixture(scope="session")
def stranger() -> Authority:
    """An authority the hosts do not know."""
    return Authority.make("a stranger")


@contextmanager
def own_name() -> Iterator[str]:
    """The first name no other session uses now: the few names make a run clean up after one that was killed."""
    kept = os.environ.get("SUITE_TESTS_KEEP_HOST", "")
    for name in [kept] if kept else map(str, itertools.count(1)):
        STATE.mkdir(mode=0o700, exist_ok=True)
        with (STATE / f"{name}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | (0 if kept else fcntl.LOCK_NB))
            except BlockingIOError:
                continue
            yield name
            return


@pytest.fixture(scope="session")
def box(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    keep = bool(os.environ.get("SUITE_TESTS_KEEP_HOST"))
    wanted = HostWanted("box", ("edge", "apps", "data"), {"postgresql": "1GiB"})
    with own_name() as name:
        driver = LocalDriver(suite=f"roles-{name}", hosts=[wanted], names={}, state_dir=STATE / name)
        if not keep:
            driver.destroy(print, with_data=True)
        box = Box(driver.apply(print), tmp_path_factory.mktemp("box"))
        request.config.stash[RUNS] = box.runs
        yield box
        if not keep:
            driver.destroy(print, with_data=True)


@pytest.fixture(scope="session")
def ready(box: Box, authority: Authority, stranger: Authority) -> None:
    """The box as data services find it: role `host` has run, and there is a certificate of a stranger."""
    box.converge("host", "default", situations.host(box, authority, stranger, "")["default"], run="before")
    box.succeed("cat > /tmp/stranger.crt <<'PEM'\n" + stranger.certificate + "PEM")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long is a lane of its own: other situations, repairs, edge, tls, realm; `deploy` sees them too."""
    here = Path(__file__).parent
    for item in items:
        if not item.path.is_relative_to(here):
            continue
        own_lane = item.path.parent.name == "edge" or item.path.stem.endswith(("_repair", "_keycloak", "_tls"))
        if own_lane or "[alternative" in item.name:
            item.add_marker(pytest.mark.situations)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for run in config.stash.get(RUNS, []):
        changes = len(run.changed)
        terminalreporter.write_line(
            f"{run.role:<11} {run.situation:<12} {run.run:<7} {run.seconds:6.1f} s  changed={changes}"
        )
