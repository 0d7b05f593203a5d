# SPDX-License-Identifier: MIT
"""Letting go of data: what is written into the engine's state, what is said, and what the engine refuses to plan."""

from __future__ import annotations

import json
from typing import Any

import pytest

from suite_deploy import main
from suite_deploy.errors import CouldNotRun

from .cloud_support import Bench, bench
from .engine_double import error, step, summary, urn

__all__ = ["bench"]
VOLUME = "openstack:blockstorage/volume:Volume"
NAME = "volume-one-postgresql"
OTHER = "volume-one-synapse"


def held(type: str, name: str, **more: Any) -> dict[str, Any]:
    return {"urn": urn(type, name), "type": type, "id": f"id of {name}", "custom": True, "protect": True} | more


STATE = {
    "version": 3,
    "deployment": {"resources": [held(VOLUME, NAME, inputs={"secret": {"4dabf": "cipher"}}), held(VOLUME, OTHER)]},
}
EXPORT = {"stack export": {"stdout": json.dumps(STATE)}}


def let_go(name: str) -> dict[str, Any]:
    """What the engine says of a removal that leaves the thing in the cloud."""
    event: dict[str, Any] = step("delete", VOLUME, name)
    event["resourcePreEvent"]["metadata"]["old"] |= {"retainOnDelete": True, "id": f"id of {name}"}
    return event


def imported(bench: Bench) -> dict[str, dict[str, Any]]:
    """The resources last written into the state, by name."""
    state = json.loads((bench.engine.folder / "imported.json").read_text())
    return {item["urn"].rpartition("::")[2]: item for item in state["deployment"]["resources"]}


def test_only_what_is_named_is_forgotten_and_kept_before_the_engine_plans(bench: Bench) -> None:
    script = bench.up_script(**EXPORT)
    script |= {"preview": {"events": [let_go(NAME), summary()]}, "up": {"events": [let_go(NAME)]}}
    bench.engine.script(script)
    bench.driver.release = (NAME,)
    lines: list[str] = []
    bench.driver.apply(lines.append)
    found = imported(bench)
    assert not found[NAME]["protect"] and found[NAME]["retainOnDelete"]
    assert found[OTHER]["protect"] and "retainOnDelete" not in found[OTHER]
    assert found[NAME]["inputs"]["secret"] == {"4dabf": "cipher"}
    assert "--show-secrets" not in bench.engine.call("stack", "export")["words"]
    order = [words[0] if words[0] != "stack" else words[1] for words in bench.engine.words()]
    assert order.index("import") < order.index("preview") < order.index("up")
    said = f"kept in the cloud, no longer this suite's: volume {NAME} (id of {NAME})"
    assert said in lines and [str(item) for item in bench.driver.let_go] == [said]
    assert not any("removing" in line for line in lines)


def test_a_preview_says_what_a_run_that_was_cut_off_lets_go_of(bench: Bench) -> None:
    bench.engine.script(bench.up_script(**EXPORT, preview={"events": [let_go(NAME), summary()]}))
    bench.driver.preview()
    assert bench.driver.notes == (
        f"after `up`, kept in the cloud, no longer this suite's: volume {NAME} (id of {NAME})",
    )


def test_without_a_name_the_state_is_not_written(bench: Bench) -> None:
    bench.engine.script(bench.up_script(**EXPORT))
    bench.driver.apply(lambda text: None)
    assert not any(words[:2] == ["stack", "import"] for words in bench.engine.words())


def test_a_plan_that_fails_puts_the_protection_back(bench: Bench) -> None:
    bench.engine.script(bench.up_script(**EXPORT, preview={"events": [error("the cloud is on fire")], "status": 255}))
    bench.driver.release = (NAME,)
    with pytest.raises(CouldNotRun, match="on fire"):
        bench.driver.apply(lambda text: None)
    assert imported(bench)[NAME]["protect"] and not imported(bench)[NAME]["retainOnDelete"]
    assert not any(words[0] == "up" for words in bench.engine.words())


def test_what_was_let_go_is_said_even_when_the_rest_fails(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    script = bench.up_script(**EXPORT)
    script |= {"preview": {"events": [let_go(NAME), summary()]}}
    script |= {"up": {"events": [let_go(NAME), error("quota exceeded")], "status": 255}}
    bench.engine.script(script)
    command = ["up", str(bench.deployment.directory), "--vault-password-file", str(bench.vault), "--release", NAME]
    assert main.main(command) == 1
    err = capsys.readouterr().err
    assert f"kept in the cloud, no longer this suite's: volume {NAME} (id of {NAME})\n" in err


DELETED = (
    'Preview failed: resource "{urn}" cannot be deleted\nbecause it is protected. To unprotect the resource, either'
)
DELETED += " remove the `protect` flag from the resource in your Pulumi program and run `pulumi up`"
REPLACED = 'unable to replace resource "{urn}"\nas it is currently marked for protection. To unprotect the resource,'
REPLACED += " remove the `protect` flag from the resource in your Pulumi program"


def test_an_engine_that_ends_a_plan_at_protected_data_is_understood(bench: Bench) -> None:
    """The engine stops at the first one: the others are what no step of the program named."""
    kept = step("same", "openstack:compute/instance:Instance", "host-one")
    events = [kept, step("delete", VOLUME, NAME, protect=True), error(DELETED.format(urn=urn(VOLUME, NAME)), NAME)]
    bench.engine.script(bench.up_script(**EXPORT, preview={"events": events, "status": 255}))
    decision = bench.driver.decide()
    assert decision.as_json()["data_lost"] == [NAME, OTHER]
    with pytest.raises(CouldNotRun, match=f"--release {NAME} --release {OTHER}\n"):
        bench.driver.apply(lambda text: None)
    assert not any(words[0] == "up" for words in bench.engine.words())


def test_data_that_would_be_replaced_is_said_where_the_engine_makes_no_step_of_it(bench: Bench) -> None:
    full = f"urn:pulumi:s::suite-openstack::suite:storage:DataVolumes${VOLUME}::{NAME}"
    events = [error(REPLACED.format(urn=full)), error("preview failed")]
    bench.engine.script(bench.up_script(**EXPORT, preview={"events": events, "status": 255}))
    (lost,) = bench.driver.steps()
    assert (lost.action, lost.kind, lost.name, lost.loses_data) == ("replace", "volume", NAME, True)


def test_another_error_beside_it_is_not_swallowed(bench: Bench) -> None:
    events = [error(DELETED.format(urn=urn(VOLUME, NAME)), NAME), error("the cloud is on fire")]
    bench.engine.script(bench.up_script(**EXPORT, preview={"events": events, "status": 255}))
    with pytest.raises(CouldNotRun, match="on fire"):
        bench.driver.preview()
