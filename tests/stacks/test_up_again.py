# SPDX-License-Identifier: MIT
"""Every cloud × every failure: `up` says what is wrong and loses nothing; mended, the next one makes what was missing.

Through the product's own driver: credentials found, the cloud asked over HTTP, plan, refusal, up, outputs, SSH's hosts
file. Only the engine is a double, which runs the unmodified program and has its resources made on doubles of clouds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from suite_deploy.errors import SuiteError
from tests.stacks.aftermath import comes_up_once, no_secret_is_anywhere, nothing_is_claimed
from tests.stacks.scenes import SCENES, Scene

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
        "outscale": (
            "the cloud has no such flavor",
            "host-data-1: CreateVms",
            "like tinav6.c4r16p2",
            "made is recorded",
        ),
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


def half_way(scene: Scene, failure: str) -> bool:
    """Whether a failure comes after the first creations: Outscale lists no flavors that it could be asked about."""
    return failure in ("connection", "interrupt", "answer") or (scene.driver, failure) == ("outscale", "flavor")


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
    assert bool(first) == half_way(scene, failure), "nothing is made before everything is known to be right"
    nothing_is_claimed(scene)
    assert scene.cloud_driver().unfinished == half_way(scene, failure)
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
