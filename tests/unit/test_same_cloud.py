# SPDX-License-Identifier: MIT
"""What the inventory cannot show: credentials of another project, and a shared state of another cloud, are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from suite_deploy.cloud import asking, openstack_room
from suite_deploy.cloud.driver import CloudDriver
from suite_deploy.errors import CouldNotRun, InvalidInput
from suite_deploy.model.loader import load

from .cloud_support import AMPLE, EXPORTS, OPENSTACK, Bench, bench, write_inventory

__all__ = ["bench"]
STATE = {"state": {"s3": {"endpoint": "https://s3.example", "region": "r1", "bucket": "states"}}}


def quiet(text: str) -> None:
    """Nobody listens."""


def credentials_of(project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the cloud says that the credentials are of this project."""
    monkeypatch.setattr(asking, "ask", lambda deployment, credentials: replace(AMPLE, project=project))
    monkeypatch.setattr(openstack_room, "project_of", lambda infrastructure, credentials: project)


def again(bench: Bench) -> CloudDriver:
    return CloudDriver(load(str(bench.deployment.directory)), bench.vault)


CALLS: dict[str, Callable[[CloudDriver], object]] = {
    "up": lambda driver: driver.apply(quiet),
    "preview": lambda driver: driver.preview(),
    "destroy": lambda driver: driver.destroy(quiet, with_data=True),
}


@pytest.mark.parametrize("call", CALLS)
def test_credentials_of_another_project_are_refused_before_the_engine_is_asked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    bench.engine.script(bench.up_script())
    credentials_of("first", monkeypatch)
    bench.driver.apply(quiet)
    before = len([words for words in bench.engine.words() if words != ["version"]])
    credentials_of("second", monkeypatch)
    with pytest.raises(CouldNotRun) as refused:
        CALLS[call](again(bench))
    said = str(refused.value)
    assert "the credentials are of the project 'second', and the suite 'cloudy' lies in 'first'" in said
    assert str(bench.state / "immutable.json") in said and f"suite-deploy doctor {bench.deployment.given}" in said
    assert len([words for words in bench.engine.words() if words != ["version"]]) == before


def test_the_same_project_and_one_that_nobody_recorded_are_accepted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.engine.script(bench.up_script())
    bench.driver.apply(quiet)
    assert "credentials.project" not in json.loads((bench.state / "immutable.json").read_text())
    credentials_of("first", monkeypatch)
    for _ in range(2):
        again(bench).apply(quiet)
    assert json.loads((bench.state / "immutable.json").read_text())["credentials.project"] == "first"
    state: dict[str, Any] = {"deployment": {"resources": []}}
    bench.engine.script(bench.up_script(**{"stack export": {"stdout": json.dumps(state)}}))
    again(bench).destroy(quiet, with_data=True)
    credentials_of("second", monkeypatch)
    again(bench).apply(quiet)


@pytest.fixture
def shared(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The state lies in a bucket, and this machine has never seen the suite, which is there."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "account")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key-of-the-state")
    says(bench)
    return bench


def says(bench: Bench, **more: str) -> None:
    """From now on the shared state has these facts too."""
    facts = {"region": "se-sto", "auth_url": "https://ops.elastx.cloud:5000/v3", **more}
    exports = {**EXPORTS, "outputs": {**EXPORTS["outputs"], "facts": facts}}
    answers: dict[str, Any] = {
        "stack output --json --show-secrets": {"stdout": json.dumps(exports)},
        "stack export": {"stdout": json.dumps({"deployment": {"resources": []}})},
    }
    bench.engine.script(bench.up_script(**answers))


def on(bench: Bench, **other: Any) -> CloudDriver:
    infrastructure = {**OPENSTACK["infrastructure"], **other}
    inventory: Path = write_inventory(bench.folder, OPENSTACK | STATE | {"infrastructure": infrastructure})
    return CloudDriver(load(str(inventory)), bench.vault)


@pytest.mark.parametrize("call", CALLS)
def test_a_shared_state_says_on_which_cloud_the_suite_lies(shared: Bench, call: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        CALLS[call](on(shared, region="no-osl"))
    (problem,) = refused.value.problems
    assert problem.key == "infrastructure.region" and problem.line and "lies on a cloud with 'se-sto'" in problem.found
    assert not [words for words in shared.engine.words() if words[0] in ("up", "preview", "destroy", "import")]


def test_the_cloud_that_the_shared_state_names_is_accepted(shared: Bench) -> None:
    on(shared).preview()
    assert "preview" in [words[0] for words in shared.engine.words()]


@pytest.mark.parametrize("record", [None, {"infrastructure.driver": "openstack"}], ids=["no record", "an older one"])
@pytest.mark.parametrize("call", CALLS)
def test_a_shared_state_says_in_which_project_the_suite_lies(
    shared: Bench, monkeypatch: pytest.MonkeyPatch, call: str, record: dict[str, str] | None
) -> None:
    says(shared, credentials_project="first")
    credentials_of("second", monkeypatch)
    driver = on(shared)
    if record:
        driver.state.mkdir(parents=True, exist_ok=True)
        (driver.state / "immutable.json").write_text(json.dumps(record))
    with pytest.raises(CouldNotRun) as refused:
        CALLS[call](driver)
    said = str(refused.value)
    assert "the credentials are of the project 'second', and the suite 'cloudy' lies in 'first'" in said
    assert "(the shared state)" in said and f"suite-deploy doctor {driver.deployment.given}" in said
    assert not [words for words in shared.engine.words() if words[0] in ("up", "preview", "destroy", "import")]


@pytest.mark.parametrize(
    ("facts", "project"),
    [({"credentials_project": "first"}, "first"), ({}, "first"), ({"credentials_project": "first"}, "")],
    ids=["the same", "a state of an older version", "a cloud that does not say"],
)
@pytest.mark.parametrize("call", CALLS)
def test_a_project_that_is_the_same_or_that_nobody_knows_is_accepted(
    shared: Bench, monkeypatch: pytest.MonkeyPatch, call: str, facts: dict[str, str], project: str
) -> None:
    says(shared, **facts)
    credentials_of(project, monkeypatch)
    CALLS[call](on(shared))
    assert call in [words[0] for words in shared.engine.words()]


def test_the_program_is_told_the_project_where_the_cloud_named_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = bench.state / "engine" / "openstack" / "Pulumi.cloudy.yaml"
    bench.engine.script(bench.up_script())
    bench.driver.preview()
    assert "suite:project" not in told.read_text()
    credentials_of("first", monkeypatch)
    again(bench).preview()
    assert "suite:project: first" in told.read_text()
