# SPDX-License-Identifier: MIT
"""Retiring one volume, one bucket or one component: `up` refuses, then lets go of what was named, and of nothing else.

As in test_up_again.py: the product's own driver over a double of the engine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from suite_deploy.cloud.engine import require_engine
from suite_deploy.errors import SuiteError
from tests.stacks.realising import RealisingStack
from tests.stacks.scenes import SCENES, OpenStackScene, Scene

VOLUME = "volume-data-1-postgresql"
THING = "again-data-1-postgresql"


@pytest.fixture
def scene(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with SCENES[request.param](tmp_path, monkeypatch) as made:
        yield made


def released(scene: Scene, *names: str) -> list[str]:
    """`up --release` of these names; what it says that it let go of."""
    driver = scene.cloud_driver()
    driver.release = names
    driver.apply(scene.said.append)
    return [str(item) for item in driver.let_go]


def kept(scene: Scene) -> dict[str, dict[str, Any]]:
    """What the engine's state holds, by name."""
    (file,) = scene.state.rglob("*.realised.json")
    return {one["name"]: one for one in json.loads(file.read_text())["kept"]}


def there(scene: Scene, name: str) -> int:
    return len([item for item in scene.there_is() if item.endswith(f"Volume {name}")])


def without_volume(scene: Scene) -> None:
    scene.hosts = {**scene.hosts, "data-1": {**scene.hosts["data-1"], "volumes": {}}}


@pytest.mark.parametrize("scene", SCENES, indirect=True)
def test_a_volume_that_is_retired_stays_in_the_cloud_and_is_no_longer_the_suites(scene: Scene) -> None:
    scene.up()
    id = kept(scene)[VOLUME]["id"]
    without_volume(scene)
    with pytest.raises(SuiteError, match=f"{VOLUME} would be removed with its data") as refused:
        scene.up()
    given = scene.cloud_driver().deployment.given
    assert f"suite-deploy up {given} --release {VOLUME}\n" in str(refused.value)
    assert "Data does not move by itself" in str(refused.value)
    assert f"check {given} --explain infrastructure.hosts" in str(refused.value)
    said = released(scene, VOLUME)
    assert said == [f"kept in the cloud, no longer this suite's: volume {VOLUME} ({id})"]
    assert said[0] in scene.said
    assert there(scene, THING) == 1 and VOLUME not in kept(scene)
    assert not any("data-1-postgresql" in name for name in kept(scene)), "the attachment is gone"
    scene.up()
    assert set(RealisingStack.did.values()) == {"same"}
    scene.cloud_driver().destroy(scene.said.append, with_data=True)
    assert there(scene, THING) == 1, "it is nobody's to remove any more"


@pytest.mark.parametrize("scene", SCENES, indirect=True)
def test_a_release_that_is_refused_leaves_the_protection_as_it_was(scene: Scene) -> None:
    scene.up()
    before = kept(scene)
    with pytest.raises(SuiteError, match=f"--release {VOLUME}: the inventory still wants it"):
        released(scene, VOLUME)
    assert kept(scene) == before
    with pytest.raises(SuiteError, match=f"no volume or bucket of this suite\\.\n.*{VOLUME}"):
        released(scene, "host-app-1")
    assert kept(scene) == before
    without_volume(scene)
    mend = scene.spoil("quota")
    more = {**scene.hosts["app-1"], "groups": ["apps"], "public": False}
    scene.hosts |= {"app-2": more, "app-3": more}
    with pytest.raises(SuiteError, match=r"nothing was created:\n  .*needed, 2 left of"):
        released(scene, VOLUME)
    assert kept(scene) == before and kept(scene)[VOLUME]["protect"] and not kept(scene)[VOLUME]["retain"]
    mend()


@pytest.mark.parametrize("scene", SCENES, indirect=True)
def test_a_release_that_was_cut_off_loses_nothing(scene: Scene) -> None:
    scene.up()
    driver = scene.cloud_driver()
    driver._stack(require_engine()).release([VOLUME])
    assert kept(scene)[VOLUME]["retain"] and not kept(scene)[VOLUME]["protect"]
    scene.up()
    assert kept(scene)[VOLUME]["protect"] and not kept(scene)[VOLUME]["retain"], "wanted again, protected again"
    driver._stack(require_engine()).release([VOLUME])
    without_volume(scene)
    again = scene.cloud_driver()
    again.apply(scene.said.append)
    assert [item.name for item in again.let_go] == [VOLUME] and there(scene, THING) == 1


@pytest.mark.parametrize("scene", ["openstack"], indirect=True)
def test_a_component_that_is_retired_leaves_its_bucket_and_takes_its_key(scene: OpenStackScene) -> None:
    scene.up()
    bucket = next(name for name in kept(scene) if name.startswith("bucket-"))
    keys = [name for name, one in kept(scene).items() if "redential" in one["type"] and "docs" in name]
    assert keys
    scene.components = {"keycloak": {}}
    with pytest.raises(SuiteError, match=f"--release {bucket}"):
        scene.up()
    (said,) = released(scene, bucket)
    assert bucket in said and said.endswith("the keys that this suite made for it stop working")
    assert not {bucket, *keys} & kept(scene).keys()
    assert any("Container" in thing.type for thing in scene.cloud.things.values())
    assert not any("redential" in thing.type for thing in scene.cloud.things.values())


@pytest.mark.parametrize("scene", ["ovh"], indirect=True)
def test_ovhclouds_accounts_of_a_released_bucket_go_with_their_keys(scene: OpenStackScene) -> None:
    scene.infrastructure["object_store"] = {"endpoint": "https://s3.gra.io.cloud.ovh.net", "region": "gra"}
    scene.components["docs"] = {}
    scene.monkeypatch.setattr("suite_deploy.cloud.ovh_buckets.open_to_pages", lambda *given: None)
    scene.up()
    assert {name for name in kept(scene) if name.endswith("-docs")} >= {"bucket-docs", "account-docs", "policy-docs"}
    del scene.components["docs"]
    with pytest.raises(SuiteError, match=r"--release bucket-docs\n") as refused:
        scene.up()
    assert "account-docs" not in str(refused.value), "the account is no data"
    released(scene, "bucket-docs")
    assert not [name for name in kept(scene) if name.endswith("-docs")]
    left = [thing.type.rpartition(":")[2] for thing in scene.cloud.things.values()]
    assert "Storage" in left and not {"User", "S3Credential", "S3Policy"} & set(left)


@pytest.mark.parametrize("scene", ["openstack", "ovh"], indirect=True)
def test_derived_hosts_grow_past_a_hundred_users_when_the_data_is_let_go(scene: OpenStackScene) -> None:
    scene.hosts, scene.users = {}, 100
    scene.up()
    data = sorted(name for name in kept(scene) if name.startswith("volume-suite-1-"))
    assert data
    scene.users = 101
    with pytest.raises(SuiteError, match="put `users` and components back as they were"):
        scene.up()
    assert len(released(scene, *data)) == len(data)
    assert [host.name for host in scene.up().hosts] == ["app-1", "data-1"]


@pytest.mark.parametrize("scene", ["openstack", "ovh"], indirect=True)
def test_a_smaller_volume_is_refused_before_the_cloud_is_asked(scene: OpenStackScene) -> None:
    scene.up()
    scene.hosts["data-1"]["volumes"] = {"postgresql": "5GiB"}
    key = r"infrastructure\.hosts\.data-1\.volumes\.postgresql"
    with pytest.raises(SuiteError, match=rf"{VOLUME} cannot become smaller: 10 → 5 GiB\. Keep 10GiB or more in {key}"):
        scene.up()
    decision = scene.cloud_driver().decide()
    assert decision.as_text().startswith("!! A VOLUME WOULD SHRINK: `up` refuses this plan\n!!   volume")
    assert decision.as_json()["smaller"] == [VOLUME]
    scene.hosts["data-1"]["volumes"] = {"postgresql": "20GiB"}
    scene.up()
    assert RealisingStack.did[VOLUME] == "update"
