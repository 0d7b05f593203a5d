# SPDX-License-Identifier: MIT
"""The unmodified program for Outscale under the real engine, where one is on PATH, at a double of Outscale's API."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from suite_deploy.model.statefiles import ENGINE
from tests.checkout import ROOT
from tests.engine.outscale_suite import PASSING, STORIES, Suite, nothing_twice, served, stack_folder
from tests.stacks.outscale_double import Fault, Server

pytestmark = pytest.mark.skipif(shutil.which("pulumi") is None, reason="the engine (`pulumi`) is not on PATH")

#: seconds that one command of the engine may take
PATIENCE = 900


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Suite]:
    with served(tmp_path, monkeypatch) as made:
        yield made


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_story(suite: Suite, story: Callable[[Suite], None]) -> None:
    story(suite)


def test_an_interrupted_run_is_finished_by_the_next(suite: Suite) -> None:
    """The interrupt comes while hosts are being made: what is under way is finished and remembered."""
    suite.server.hang = 3.0
    suite.server.faults = [Fault("CreateVms", "hang", times=2)]
    threading.Thread(target=interrupt_at, args=(suite.server, "CreateVms"), daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        suite.up()
    suite.server.faults = []
    suite.up()
    nothing_twice(suite)
    assert set(suite.plan().values()) == {"keep"}


def interrupt_at(server: Server, action: str) -> None:
    """Interrupt this process, as Ctrl-C does, once the double is asked for something."""
    end = time.monotonic() + PATIENCE
    while action not in server.asked and time.monotonic() < end:
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)


def engine(folder: Path, settings: Mapping[str, str], *words: str) -> str:
    """One command of the engine, as a person types it in `folder`. settings: what the guide says to set."""
    path = os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ["PATH"]])
    quiet = {"PULUMI_SKIP_UPDATE_CHECK": "true", "PYTHONDONTWRITEBYTECODE": "1", "PATH": path}
    done = subprocess.run(
        ["pulumi", "--non-interactive", *words],
        cwd=folder,
        env={**os.environ, **quiet, **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, f"pulumi {' '.join(words)}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def settings_of(suite: Suite, state: Path) -> dict[str, str]:
    """The two settings of the guide, and the one that Outscale needs."""
    return {
        "PULUMI_BACKEND_URL": f"file://{state}",
        "PULUMI_CONFIG_PASSPHRASE": suite.driver()._passphrase(),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "cli"), str(ROOT)]),
    }


def test_the_engine_by_hand_in_the_stacks_folder(suite: Suite, tmp_path: Path) -> None:
    """Only what the guide's section "The engine by hand" says."""
    folder, state = stack_folder(tmp_path), tmp_path / "by-hand"
    state.mkdir()
    settings = settings_of(suite, state) | {"SUITE_DEPLOY_INVENTORY": str(suite.inventory)}
    engine(folder, settings, "stack", "init", "agency")
    engine(folder, settings, "up", "--yes", "--refresh")
    nothing_twice(suite)
    engine(folder, settings, "up", "--yes", "--refresh", "--expect-no-changes")
    engine(folder, settings, "destroy", "--yes", "--exclude-protected")
    assert suite.living(*PASSING) == {} and suite.living("Volume"), "data stays until somebody asks otherwise"
    engine(folder, settings, "config", "set", "suite:unprotect", "true")
    engine(folder, settings, "up", "--yes")
    engine(folder, settings, "destroy", "--yes")
    assert suite.living(*PASSING, "Volume") == {}


def test_the_engine_by_hand_beside_the_suites_state(suite: Suite) -> None:
    """What `up` leaves there is enough: it names the inventory, and changes nothing."""
    suite.up()
    here = suite.driver().state / ENGINE
    settings = settings_of(suite, here / "state")
    engine(here / "outscale", settings, "preview", "--stack", "agency", "--refresh", "--expect-no-changes")
    outputs = engine(here / "outscale", settings, "stack", "output", "--json", "--stack", "agency")
    assert '"data-1"' in outputs
