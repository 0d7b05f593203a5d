# SPDX-License-Identifier: MIT
"""What `up` leaves, finds and refuses on each cloud when something was lost, closed or begun before.

As in test_up_again.py: the product's own driver over a double of the engine.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from suite_deploy import main
from suite_deploy.errors import InvalidInput, SuiteError
from suite_deploy.secrets.ensure import open_store
from suite_deploy.secrets.value import Secret
from tests.stacks.aftermath import comes_up_once, nothing_is_claimed
from tests.stacks.outscale_double import Fault
from tests.stacks.outscale_double.server import ACCESS_KEY
from tests.stacks.realising import RealisingStack, State
from tests.stacks.scenes import SCENES, OpenStackScene, OutscaleScene, OvhScene, Scene


@pytest.fixture
def scene(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with SCENES[request.param](tmp_path, monkeypatch) as made:
        yield made


@pytest.mark.parametrize("scene", ["outscale"], indirect=True)
def test_a_creation_whose_answer_was_lost_is_found_again(scene: Scene) -> None:
    mend = scene.spoil("answer")
    with pytest.raises(SuiteError, match="connection to the cloud was lost"):
        scene.up()
    first = list(scene.created)
    mend()
    comes_up_once(scene, first)


@pytest.mark.parametrize("scene", ["openstack", "ovh"], indirect=True)
def test_a_host_that_nobody_recorded_is_not_made_twice(scene: OpenStackScene) -> None:
    """OpenStack takes a name twice, and its provider looks for nothing."""
    scene.spoil("answer")
    with pytest.raises(SuiteError, match="the cloud may hold one that this suite does not know of"):
        scene.up()
    first = list(scene.created)
    with pytest.raises(SuiteError, match="nothing was created: the cloud already has") as refused:
        scene.up()
    stray = next(id for id, thing in scene.cloud.things.items() if thing.type.endswith(":Instance"))
    assert f"host {scene.cloud.things[stray].name} ({stray})" in str(refused.value)
    assert "remove it there, then run the same command again" in str(refused.value)
    assert scene.created == first
    nothing_is_claimed(scene)
    scene.created.remove(next(name for name in first if name.startswith("host-") and name != "host-group-suite"))
    del scene.cloud.things[stray]
    comes_up_once(scene, list(scene.created))


@pytest.mark.parametrize("scene", ["openstack"], indirect=True)
def test_a_suite_whose_state_is_gone_is_not_made_a_second_time(scene: OpenStackScene) -> None:
    scene.up()
    made = len(scene.created)
    shutil.rmtree(scene.state)
    with pytest.raises(SuiteError, match="its state does not know it") as refused:
        scene.up()
    assert "volume again-data-1-postgresql" in str(refused.value) and "bring that state here" in str(refused.value)
    driver = scene.cloud_driver()
    driver.decide()
    assert any("`up` refuses this plan" in note and "volume again-data-1" in note for note in driver.notes)
    assert len(scene.created) == made


@pytest.mark.parametrize("scene", ["openstack", "ovh"], indirect=True)
def test_a_host_that_is_gone_and_could_not_be_made_anew_is_planned_again(scene: OpenStackScene) -> None:
    scene.up()
    gone = next(id for id, thing in scene.cloud.things.items() if thing.type.endswith(":Instance"))
    name = f"host-{scene.cloud.things.pop(gone).name.removeprefix('again-')}"
    mend = scene.spoil("connection")
    with pytest.raises(SuiteError, match="connection to the cloud was lost"):
        scene.up()
    mend()
    (file,) = scene.state.rglob("*.realised.json")
    assert gone not in {kept.id for kept in State.read(file).kept.values()}, "nothing known is not there"
    assert [step.name for step in scene.cloud_driver().steps() if step.action == "create"][:1] == [name]
    scene.up()
    assert RealisingStack.did[name] == "create"


@pytest.mark.parametrize("scene", SCENES, indirect=True)
def test_a_suite_that_is_there_in_part_is_not_called_absent(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["status", str(scene.folder / "inventory")]
    scene.cloud_driver()
    assert main.main(command) == 3 and "does not exist" in capsys.readouterr().out
    scene.spoil("connection")
    with pytest.raises(SuiteError):
        scene.up()
    assert main.main(command) == 3
    out, err = capsys.readouterr()
    assert "again is there in part" in out and "suite-deploy up" in out and "suite-deploy destroy" in out
    assert "the last `up` did not end" in err
    scene.cloud_driver().destroy(scene.said.append, with_data=True)
    assert scene.there_is() == [] and main.main(command) == 3 and "does not exist" in capsys.readouterr().out


@pytest.mark.parametrize("scene", ["outscale"], indirect=True)
def test_a_key_that_opens_everything_is_taken_for_no_bucket(scene: Scene) -> None:
    scene.infrastructure["object_store"] = {"endpoint": "https://oos.example", "region": "r"}
    scene.components["docs"] = {}
    driver = scene.cloud_driver()
    name = "docs.bucket_access_key"
    open_store(driver.deployment, scene.vault).add({name: Secret(name, ACCESS_KEY)})
    with pytest.raises(InvalidInput, match=r"docs\.bucket_access_key: is the key this suite is made with") as refused:
        scene.up()
    assert "Supply a key of another account" in str(refused.value) and ACCESS_KEY not in str(refused.value)
    assert scene.created == []


@pytest.mark.parametrize("scene", ["outscale"], indirect=True)
def test_a_destroy_that_is_refused_or_cut_off_goes_on_later(scene: OutscaleScene) -> None:
    scene.up()
    mend, before = scene.spoil("credentials"), scene.there_is()
    with pytest.raises(SuiteError, match="does not accept the credentials"):
        scene.cloud_driver().destroy(scene.said.append, with_data=False)
    assert scene.there_is() == before and (scene.state / "outputs.json").exists()
    mend()
    scene.server.faults = [Fault("DeleteVms", "drop", times=99)]
    with pytest.raises(SuiteError, match="connection to the cloud was lost"):
        scene.cloud_driver().destroy(scene.said.append, with_data=False)
    scene.server.faults = []
    (kept,) = scene.cloud_driver().destroy(scene.said.append, with_data=False)
    assert "volume-data-1-postgresql" in kept and scene.there_is() == ["Volume again-data-1-postgresql"]
    assert scene.up().hosts and scene.there_is().count("Volume again-data-1-postgresql") == 1


@pytest.mark.parametrize("derived", [False, True])
@pytest.mark.parametrize("scene", ["ovh"], indirect=True)
def test_a_region_that_is_closed_is_opened_first_and_stays_open(scene: OvhScene, derived: bool) -> None:
    scene.infrastructure["region"] = region = "EU-WEST-PAR"
    scene.keystone.others = (region,)
    if derived:
        scene.hosts = {}
    hosts = scene.up().hosts
    assert scene.created[0] == f"region-{region}" and hosts
    assert (scene.state / "flavors.json").exists() == derived
    made = list(scene.created)
    assert scene.up().hosts == hosts and scene.created == made
    assert set(RealisingStack.did.values()) == {"same"} and region in scene.own.opened


@pytest.mark.parametrize("scene", SCENES, indirect=True)
def test_a_preview_leaves_the_engines_own_files_and_nothing_else(scene: Scene) -> None:
    scene.hosts = {}
    scene.cloud_driver().decide()
    written = {path.relative_to(scene.state).parts[0] for path in scene.state.rglob("*") if path.is_file()}
    assert written == {"engine"} and scene.created == []
