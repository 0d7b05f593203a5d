# SPDX-License-Identifier: MIT
"""A region of OVHcloud that the project has not opened yet: previewed, opened by `up`, and everything else after it."""

from __future__ import annotations

import json

import pytest

from suite_deploy import main
from suite_deploy.cloud import ovh_room
from suite_deploy.errors import CouldNotRun
from suite_deploy.model.sizing import read_flavors
from suite_deploy.model.suite import Ovh

from .cloud_support import bench
from .engine_double import step, summary
from .ovh_clouds import HOST, PARIS, Clouds, clouds
from .ovh_double import KEYS

__all__ = ["bench", "clouds"]


def test_up_opens_the_region_waits_for_it_and_makes_the_rest(clouds: Clouds) -> None:
    clouds.script()
    said: list[str] = []

    def told(text: str) -> None:
        said.append(text)
        clouds.told(text)

    assert clouds.driver().apply(told).hosts
    assert clouds.runs() == ["preview", "up", "preview", "up"]
    assert said.index(f"the region {PARIS} was opened") < said.index(f"waiting for the region {PARIS}")


def test_hosts_without_a_size_get_one_once_the_region_is_open(clouds: Clouds) -> None:
    clouds.script()
    driver = clouds.driver(hosts={})
    driver.preview()
    assert read_flavors(driver.state) == {}, "nobody could say yet what the region has"
    clouds.script()
    driver = clouds.driver(hosts={})
    driver.apply(clouds.told)
    chosen = set(read_flavors(driver.state).values())
    assert chosen and chosen <= set(clouds.keystone.flavors)


def test_the_quota_is_asked_once_the_region_is_open(clouds: Clouds) -> None:
    clouds.script()
    clouds.keystone.cores = (20, 19)
    with pytest.raises(CouldNotRun, match="vCPU: 2 needed, 1 left of 20"):
        clouds.driver().apply(clouds.told)
    assert clouds.runs() == ["preview", "up", "preview"], "the region is open, and nothing else was made"


def test_preview_says_that_the_rest_is_not_known_yet(clouds: Clouds, capsys: pytest.CaptureFixture[str]) -> None:
    clouds.script()
    command = ["preview", str(clouds.inventory()), "--vault-password-file", str(clouds.bench.vault)]
    assert main.main(command) == 0
    said = capsys.readouterr()
    assert f"the project has yet to open the region {PARIS}" in said.out
    assert "Cost of a month: unknown (the rest of the plan is known once the region is open)" in said.out
    assert f"note: the region {PARIS} has to be opened first" in said.err
    clouds.script()
    assert main.main([*command, "--format", "json"]) == 0
    decision = json.loads(capsys.readouterr().out)["decision"]
    assert decision["region_closed"] is True and decision["resources"] == {"region": {"create": 1}}


def test_an_open_region_is_asked_for_everything_at_once(clouds: Clouds) -> None:
    clouds.api.opened.add(PARIS)
    clouds.keystone.others = (PARIS,)
    clouds.bench.engine.script(clouds.bench.up_script(preview={"events": [HOST, summary()]}))
    assert clouds.driver().apply(lambda text: None).hosts
    assert clouds.runs() == ["preview", "up"]


def test_a_region_that_was_opened_stays_and_is_not_shown_as_removed(clouds: Clouds) -> None:
    clouds.api.opened.add(PARIS)
    clouds.keystone.others = (PARIS,)
    forgotten = step("delete", "ovh:CloudProject/projectRegion:ProjectRegion", f"region-{PARIS}")
    forgotten["resourcePreEvent"]["metadata"]["old"]["retainOnDelete"] = True
    clouds.bench.engine.script(clouds.bench.up_script(preview={"events": [forgotten, HOST, summary()]}))
    assert [(item.action, item.kind) for item in clouds.driver().preview()] == [("create", "host")]


@pytest.mark.parametrize(("name", "value"), [*((name, "guessed-wrong") for name in KEYS), ("project", "0000")])
def test_wrong_keys_or_a_wrong_project_are_said_before_anything_is_made(
    clouds: Clouds, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    clouds.script()
    if name in KEYS:
        monkeypatch.setenv(name, value)
    with pytest.raises(CouldNotRun, match="OVHcloud's own interface") as refused:
        clouds.driver(**({} if name in KEYS else {name: value})).apply(clouds.told)
    assert value not in str(refused.value)
    assert "up" not in clouds.runs()


def test_a_region_that_takes_too_long_is_left_for_another_run(clouds: Clouds, monkeypatch: pytest.MonkeyPatch) -> None:
    clouds.script()
    monkeypatch.setattr(ovh_room, "PATIENCE", 0.02)
    driver = clouds.driver()
    assert isinstance(driver.deployment.suite.infrastructure, Ovh)

    def never(text: str) -> None:
        clouds.told(text)
        clouds.api.busy = 1000

    with pytest.raises(CouldNotRun, match=r"does not work yet(.|\n)*Run the same command again"):
        driver.apply(never)
    assert clouds.runs() == ["preview", "up"]
