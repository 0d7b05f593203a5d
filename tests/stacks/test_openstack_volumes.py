# SPDX-License-Identifier: MIT
"""Data volumes at OpenStack and OVHcloud when hosts change and go: none is pulled out of a host that runs.

Through the product's own driver over a double of the engine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from suite_deploy.errors import SuiteError
from tests.stacks.realising import RealisingStack
from tests.stacks.scenes import SCENES, OpenStackScene


@pytest.fixture(params=["openstack", "ovh"])
def scene(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenStackScene]:
    with SCENES[request.param](tmp_path, monkeypatch) as made:
        assert isinstance(made, OpenStackScene)
        made.hosts["app-2"] = {"flavor": "b3-8", "groups": ["apps"], "volumes": {"matrix": "10GiB"}}
        made.up()
        yield made


def of(scene: OpenStackScene, kind: str) -> dict[str, str]:
    """Id → name of everything of a kind that there is."""
    return {id: thing.name for id, thing in scene.cloud.things.items() if thing.type.endswith(f":{kind}")}


def attached(scene: OpenStackScene) -> set[tuple[str, str]]:
    """(host, volume) of every attachment, both by name."""
    things = scene.cloud.things
    found = [thing.inputs for thing in things.values() if thing.type.endswith(":VolumeAttach")]
    return {(things[one["instanceId"]].name, things[one["volumeId"]].name) for one in found}


def did(*operations: str) -> set[str]:
    return {name for name, operation in RealisingStack.did.items() if operation in operations}


def recorded(scene: OpenStackScene) -> dict[str, str]:
    """Attachment → the resource whose removal removes it, as the state has it."""
    (file,) = scene.state.rglob("*.realised.json")
    kept = [one for one in json.loads(file.read_text())["kept"] if one["type"].endswith(":VolumeAttach")]
    return {one["name"]: one["with_"].rpartition("::")[2] for one in kept}


def unprotected(scene: OpenStackScene) -> None:
    """As after the engine's own `state unprotect`: the product itself lets no data go with a change."""
    (file,) = scene.state.rglob("*.realised.json")
    content = json.loads(file.read_text())
    for kept in content["kept"]:
        kept["protect"] = False
    file.write_text(json.dumps(content))


ALL = {("again-data-1", "again-data-1-postgresql"), ("again-app-2", "again-app-2-matrix")}


@pytest.mark.parametrize("with_data", [False, True])
def test_destroy_pulls_no_volume_out_of_a_host_that_runs(scene: OpenStackScene, with_data: bool) -> None:
    assert attached(scene) == ALL
    assert recorded(scene) == {"attachment-app-2-matrix": "host-app-2", "attachment-data-1-postgresql": "host-data-1"}
    scene.cloud_driver().destroy(scene.said.append, with_data=with_data)
    assert scene.cloud.pulled == [] and attached(scene) == set() and of(scene, "Instance") == {}
    assert bool(of(scene, "Volume")) != with_data


def test_a_host_that_is_made_anew_keeps_its_volumes_until_it_is_stopped(scene: OpenStackScene) -> None:
    before, volumes = of(scene, "Instance"), of(scene, "Volume")
    (group,) = of(scene, "ServerGroup")
    del scene.cloud.things[group]
    scene.up()
    assert did("replace") == {"host-app-1", "host-app-2", "host-data-1"} and scene.cloud.pulled == []
    assert set(of(scene, "Instance").values()) == set(before.values()) and of(scene, "Instance").keys() != before.keys()
    assert attached(scene) == ALL and of(scene, "Volume") == volumes
    scene.up()
    assert set(RealisingStack.did.values()) == {"same"}


def test_a_host_that_is_no_longer_wanted_lets_go_of_its_volumes_when_it_is_stopped(scene: OpenStackScene) -> None:
    del scene.hosts["app-2"]
    with pytest.raises(SuiteError, match="would be removed with its data"):
        scene.up()
    unprotected(scene)
    scene.up()
    assert {"host-app-2", "attachment-app-2-matrix", "volume-app-2-matrix"} <= did("delete")
    assert scene.cloud.pulled == [] and attached(scene) == {("again-data-1", "again-data-1-postgresql")}
    assert "again-app-2-matrix" not in of(scene, "Volume").values()


def test_a_volume_that_is_no_longer_wanted_leaves_a_host_that_stays(scene: OpenStackScene) -> None:
    hosts = of(scene, "Instance")
    del scene.hosts["app-2"]["volumes"]
    unprotected(scene)
    scene.up()
    assert did("delete") == {"attachment-app-2-matrix", "volume-app-2-matrix"} and of(scene, "Instance") == hosts
    assert scene.cloud.pulled == ["again-app-2-matrix"], "its kind is gone from the inventory: nothing uses it"


def test_a_volume_grows_where_it_is_and_never_shrinks(scene: OpenStackScene) -> None:
    things = set(scene.cloud.things)
    scene.hosts["data-1"]["volumes"]["postgresql"] = "20GiB"
    scene.up()
    assert did("update") == {"volume-data-1-postgresql"} and set(scene.cloud.things) == things
    scene.hosts["data-1"]["volumes"]["postgresql"] = "15GiB"
    with pytest.raises(SuiteError, match="cannot become smaller|must be greater than current size"):
        scene.up()
    assert attached(scene) == ALL and scene.cloud.pulled == []
