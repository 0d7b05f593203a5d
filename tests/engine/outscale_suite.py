# SPDX-License-Identifier: MIT
"""A suite at a double of Outscale's API, driven by the product's own driver, and what must come of it.

The stories hold whatever the engine is: the real one (lane `engine`), or the stand-in that runs where there is none.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stacks.components import reach
from suite_deploy.cloud.driver import CloudDriver
from suite_deploy.errors import CouldNotRun
from suite_deploy.model.loader import load
from suite_deploy.model.statefiles import ENGINE
from suite_deploy.secrets.ensure import add_missing, open_store
from tests.checkout import ROOT
from tests.stacks.outscale_double import Cloud, Fault, Server
from tests.stacks.outscale_double.bench import REGION, inventory
from tests.stacks.outscale_double.server import ACCESS_KEY, SECRET_KEY

#: kinds that hold no data; what is left of them after a destroy costs money
PASSING = ("Net", "Subnet", "InternetService", "NatService", "RouteTable", "SecurityGroup", "PublicIp", "Keypair", "Vm")
#: variables that decide where an engine or a cloud is, which a test must not have of this machine
AMBIENT = ("OSC_", "OS_", "OVH_", "AWS_", "PULUMI_", "SUITE_DEPLOY_")
QUOTA = (400, "10010", "TooManyResources (QuotaExceded)", "")


@dataclass
class Suite:
    """inventory: its folder. vault: the file whose password opens the suite's secrets."""

    server: Server
    inventory: Path
    vault: Path

    def driver(self) -> CloudDriver:
        """The driver as a new process has it."""
        return CloudDriver(load(str(self.inventory)), self.vault)

    def plan(self) -> dict[str, str]:
        """Resource → what `up` would do with it now."""
        return {step.name: step.action for step in self.driver().steps()}

    def up(self) -> list[str]:
        """Bring it up; what was said on the way."""
        said: list[str] = []
        self.driver().apply(said.append)
        return said

    def destroy(self, *, with_data: bool) -> list[str]:
        """Remove it; what was left."""
        return self.driver().destroy(lambda text: None, with_data=with_data)

    def living(self, *kinds: str) -> dict[str, list[str]]:
        """Kind → the names of what there is of it at the cloud, as its tags say."""
        found = {kind: [_name(item) for item in self.server.cloud.living(kind) if not _is_main(item)] for kind in kinds}
        return {kind: sorted(names) for kind, names in found.items() if names}

    def ids(self, kind: str) -> set[str]:
        """Ids of everything of a kind that exists."""
        return {item[f"{kind}Id"] for item in self.server.cloud.living(kind)}

    def engines_files(self) -> str:
        """Everything the engine wrote for this suite: state, settings, log."""
        state = self.driver().state
        files = [path for folder in (state / ENGINE, state / "logs") for path in folder.rglob("*") if path.is_file()]
        assert files, "there is no state"
        return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in files)


@contextmanager
def served(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Suite]:
    """A double, and an inventory that points there; requests against the published description fail the test."""
    for name in list(os.environ):
        if name.startswith(AMBIENT):
            monkeypatch.delenv(name)
    chosen = {
        "OSC_ACCESS_KEY": ACCESS_KEY,
        "OSC_SECRET_KEY": SECRET_KEY,
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PULUMI_HOME": str(folder / "home"),
    }
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    # The double's hosts are words: nobody answers there.
    monkeypatch.setattr(reach, "wait_for_ssh", lambda *given: None)
    cloud = Cloud()
    cloud.region = REGION
    server = Server(cloud).start()
    (folder / "inventory").mkdir()
    suite = Suite(server, inventory(folder / "inventory", server.endpoint), folder / "vault-password")
    suite.vault.write_text("a passphrase for tests")
    suite.vault.chmod(0o600)
    deployment = suite.driver().deployment
    add_missing(open_store(deployment, suite.vault), deployment.secrets_wanted)
    try:
        yield suite
        assert server.violations == [], "against Outscale's published API description"
    finally:
        server.stop()


def a_suite_is_planned_made_left_alone_and_removed(suite: Suite) -> None:
    """First `preview` and `up`, second ones, `destroy` without and with data."""
    planned = suite.plan()
    assert set(planned.values()) == {"create"} and {"host-app-1", "volume-data-1-valkey"} <= set(planned)
    assert not suite.living(*PASSING, "Volume"), "a preview makes nothing"

    assert "creating host-app-1" in suite.up()
    nothing_twice(suite)
    found = suite.driver().outputs()
    assert found is not None
    hosts = {host.private_address: host for host in found.hosts}
    assert set(hosts) == {vm["PrivateIp"] for vm in suite.server.cloud.living("Vm")}
    kept = suite.engines_files()
    for secret in (SECRET_KEY, ACCESS_KEY, suite.driver()._passphrase()):
        assert secret and secret not in kept, "credentials are in no state, setting or log"

    seen = len(suite.server.seen)
    assert set(suite.plan().values()) == {"keep"} and not [line for line in suite.up() if "creating" in line]
    written = [action for action, _ in suite.server.seen[seen:] if not action.startswith("Read")]
    assert written == [], "a second run only reads"

    volumes = suite.ids("Volume")
    left = suite.destroy(with_data=False)
    assert {line.rpartition("(")[2] for line in left} == {"volume-data-1-postgresql)", "volume-data-1-valkey)"}
    assert suite.living(*PASSING) == {} and suite.ids("Volume") == volumes, "only data is kept"
    suite.up()
    assert suite.ids("Volume") == volumes, "what was kept is used again"
    nothing_twice(suite)

    assert suite.destroy(with_data=True) == []
    assert suite.living(*PASSING, "Volume") == {}


def what_was_deleted_behind_our_back_is_seen_and_repaired(suite: Suite) -> None:
    """Drift."""
    suite.up()
    (gone,) = [vm["VmId"] for vm in suite.server.cloud.living("Vm") if _name(vm) == "agency-app-1"]
    volumes = suite.ids("Volume")
    suite.server.cloud.carry_out("DeleteVms", {"VmIds": [gone]})
    planned = suite.plan()
    assert planned["host-app-1"] == "create" and planned["address-app-1"] == "change"
    assert {planned[name] for name in planned if name not in ("host-app-1", "address-app-1")} == {"keep"}
    suite.up()
    nothing_twice(suite)
    (found,) = [vm for vm in suite.server.cloud.living("Vm") if _name(vm) == "agency-app-1"]
    assert found["VmId"] != gone and found.get("PublicIp") and suite.ids("Volume") == volumes
    assert set(suite.plan().values()) == {"keep"}


def a_run_that_failed_is_finished_by_the_next(suite: Suite) -> None:
    """Half of the hosts, then no quota; an answer that gets lost; the next run goes on from there."""
    suite.server.faults = [Fault("CreateVms", "refuse", times=2, error=QUOTA)]
    with pytest.raises(CouldNotRun, match="quota") as refused:
        suite.up()
    assert "request " in str(refused.value) and "Traceback" not in str(refused.value)
    before = {kind: suite.ids(kind) for kind in ("Net", "Subnet", "SecurityGroup")}
    assert before["Net"] and not suite.ids("Vm")
    planned = suite.plan()
    assert planned["net-private"] == "keep" and planned["host-app-1"] == "create"

    suite.server.faults = [Fault("CreateVms", "lose"), Fault("CreateVms", "throttle")]
    suite.up()
    nothing_twice(suite)
    assert {kind: suite.ids(kind) for kind in before} == before, "what was there stays"
    assert set(suite.plan().values()) == {"keep"}


#: what each engine must tell
STORIES = (
    a_suite_is_planned_made_left_alone_and_removed,
    what_was_deleted_behind_our_back_is_seen_and_repaired,
    a_run_that_failed_is_finished_by_the_next,
)


def stack_folder(folder: Path) -> Path:
    """A copy of the stack's folder: the engine writes a stack's settings beside the project."""
    copied = folder / "stacks" / "outscale"
    copied.mkdir(parents=True)
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(ROOT / "stacks" / "outscale" / name, copied)
    return copied


def nothing_twice(suite: Suite) -> None:
    """Each thing exists once by its name, and none without."""
    for kind, names in suite.living(*PASSING, "Volume").items():
        assert len(names) == len(set(names)) and "" not in names, f"{kind}: {names}"


def _name(item: dict[str, Any]) -> str:
    return str(next((tag["Value"] for tag in item["Tags"] if tag["Key"] == "Name"), ""))


def _is_main(item: dict[str, Any]) -> bool:
    """Whether it is a route table that a Net brings along."""
    return any(link.get("Main") for link in item.get("LinkRouteTables", ()))
