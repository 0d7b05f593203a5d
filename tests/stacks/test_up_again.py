# SPDX-License-Identifier: MIT
"""Every cloud × every failure: `up` says what is wrong and loses nothing; mended, the next one makes what was missing.

Through the product's own driver: credentials found, the cloud asked over HTTP, plan, refusal, up, outputs, SSH's hosts
file. Only the engine is a double, which runs the unmodified program and has its resources made on doubles of clouds.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from suite_deploy import main
from suite_deploy.errors import InvalidInput, SuiteError
from suite_deploy.render.inventory import SSH_CONFIG
from suite_deploy.secrets.ensure import open_store
from suite_deploy.secrets.value import Secret
from tests.stacks.outscale_double import Fault
from tests.stacks.outscale_double.server import ACCESS_KEY
from tests.stacks.realising import RealisingStack
from tests.stacks.scenes import SCENES, OpenStackScene, OutscaleScene, OvhScene, Scene

#: what `up` says, by failure and cloud: what is wrong, what was found, the next step
SAYS: dict[str, dict[str, tuple[str, ...]]] = {
    "credentials": {
        "openstack": ("region se-sto: the cloud does not accept the credentials", "HTTP 401", "suite-deploy doctor"),
        "ovh": ("region GRA11: the cloud does not accept the credentials", "HTTP 401", "suite-deploy doctor"),
        "outscale": ("the cloud does not accept the credentials", "AccessDenied 1", "Check OSC_ACCESS_KEY"),
    },
    "key": {
        "ovh": (
            "OVHcloud's own interface does not accept the keys",
            "This credential does not exist",
            "OVH_CONSUMER_KEY",
        ),
    },
    "region": {
        "openstack": ("infrastructure.region: the cloud has no region 'se-stockholm'", "There is: no-osl, se-sto."),
        "ovh": (
            "infrastructure.region: OVHcloud has no region 'se-stockholm'",
            "Open: GRA11, SBG5",
            "open: EU-WEST-PAR",
        ),
        "outscale": ("infrastructure.region: Outscale has no region 'eu-west-9'", "cloudgouv-eu-west-1, eu-west-2"),
    },
    "flavor": {
        "openstack": (
            "suite.yml:",
            "infrastructure.hosts.data-1.flavor: the cloud has no flavor 'b3-9'",
            "b3-16 (4 vCPU",
        ),
        "ovh": ("suite.yml:", "infrastructure.hosts.data-1.flavor: the cloud has no flavor 'b3-9'", "b3-16 (4 vCPU"),
        "outscale": ("infrastructure.hosts.data-1.flavor: the cloud has no flavor 'b3-9'", "like tinav6.c4r16p2"),
    },
    "quota": dict.fromkeys(SCENES, ("nothing was created", "needed, 2 left of", "Ask the cloud for a larger quota")),
    "silence": {
        "openstack": ("http://127.0.0.1:9/v3, region se-sto: the cloud does not answer", "Nothing was touched"),
        "ovh": ("http://127.0.0.1:9/v3, region GRA11: the cloud does not answer", "Nothing was touched"),
        "outscale": ("http://127.0.0.1:9/api/v1", "cannot be reached", "Nothing was touched"),
    },
    "connection": {
        "openstack": (
            "connection to the cloud was lost",
            "host-",
            "connection reset by peer",
            "made is recorded. Run the",
        ),
        "ovh": (
            "connection to the cloud was lost",
            "host-",
            "connection reset by peer",
            "made is recorded. Run the same",
        ),
        "outscale": ("connection to the cloud was lost", "host-", "gave no answer", "made is recorded. Run the same"),
    },
}
CASES = [(cloud, failure) for failure, clouds in SAYS.items() for cloud in clouds]
#: failures that come after the first creations
HALF_WAY = ("connection", "interrupt", "answer")


@pytest.fixture
def scene(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with SCENES[request.param](tmp_path, monkeypatch) as made:
        yield made


@pytest.mark.parametrize(("scene", "failure"), CASES, indirect=["scene"])
def test_up_says_what_is_wrong_and_the_next_one_makes_what_is_missing(scene: Scene, failure: str) -> None:
    mend = scene.spoil(failure)
    with pytest.raises(SuiteError) as refused:
        scene.up()
    said = str(refused.value)
    assert [words for words in SAYS[failure][scene.driver] if words not in said] == [], said
    assert "Traceback" not in said and 'File "' not in said
    first = list(scene.created)
    assert bool(first) == (failure in HALF_WAY), "nothing is made before everything is known to be right"
    nothing_is_claimed(scene)
    assert scene.cloud_driver().unfinished == (failure in HALF_WAY)
    no_secret_is_anywhere(scene, said)
    mend()
    comes_up_once(scene, first)


@pytest.mark.parametrize("scene", SCENES, indirect=True)
def test_an_interrupted_up_is_finished_by_the_next(scene: Scene) -> None:
    mend = scene.spoil("interrupt")
    with pytest.raises(KeyboardInterrupt):
        scene.up()
    first = list(scene.created)
    assert first
    nothing_is_claimed(scene)
    mend()
    comes_up_once(scene, first)


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
    assert len(scene.created) == made


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


def nothing_is_claimed(scene: Scene) -> None:
    """Where no `up` came to its end, nothing says that hosts are there."""
    assert not (scene.state / "outputs.json").exists()
    assert not (scene.state / "stack-secrets.yml").exists()
    assert scene.cloud_driver().outputs() is None


def no_secret_is_anywhere(scene: Scene, said: str) -> None:
    """Neither right nor wrong ones: in what is said, in progress, in files."""
    assert len(scene.secrets) >= 1
    files = [path for path in scene.state.rglob("*") if path.is_file()]
    texts = {"the error": said, "progress": "\n".join(scene.said)}
    texts |= {str(path): path.read_text(errors="replace") for path in files}
    assert [(where, secret) for where, text in texts.items() for secret in scene.secrets if secret in text] == []


def comes_up_once(scene: Scene, first: list[str]) -> None:
    """The next `up` makes what is missing and nothing twice, the one after that changes nothing."""
    planned = {step.name for step in scene.cloud_driver().steps() if step.action == "create"}
    assert planned.isdisjoint(first), "what was made is remembered"
    outputs = scene.up()
    did = dict(RealisingStack.did)
    assert {name for name, what in did.items() if what == "create"} == planned
    assert set(did.values()) <= {"create", "same"} and set(first) <= did.keys()
    assert len(scene.created) == len(set(scene.created)) == len(did)
    assert len(scene.there_is()) == len(set(scene.there_is())), "no name is there twice"
    assert [host.name for host in outputs.hosts] == list(scene.hosts)
    assert scene.cloud_driver().outputs() == outputs and not scene.cloud_driver().unfinished
    assert all(f"Host {name}\n" in (scene.state / SSH_CONFIG).read_text() for name in scene.hosts)
    recorded = json.loads((scene.state / "outputs.json").read_text())
    assert scene.up() == outputs
    assert set(RealisingStack.did.values()) == {"same"} and len(RealisingStack.did) == len(did)
    assert json.loads((scene.state / "outputs.json").read_text()) == recorded
    assert len(scene.created) == len(did)
