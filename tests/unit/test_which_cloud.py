# SPDX-License-Identifier: MIT
"""A suite stays on the cloud it was made on: an inventory that says another is refused before anything is touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from suite_deploy import main
from suite_deploy.errors import CouldNotRun, InvalidInput
from suite_deploy.model.immutable import record_cloud
from suite_deploy.model.loader import load

from .cloud_support import OPENSTACK, Bench, bench, write_inventory

__all__ = ["bench"]
HOSTS = {"hosts": OPENSTACK["infrastructure"]["hosts"]}
OVH: dict[str, Any] = {"driver": "ovh", "offer": "ovhcloud/public-cloud", "region": "GRA11", "project": "0123", **HOSTS}
OUTSCALE: dict[str, Any] = {"driver": "outscale", "offer": "outscale/public-cloud", "region": "eu-west-2"}
OUTSCALE |= {"hosts": {"one": {"groups": ["edge", "apps", "data"], "flavor": "tinav6.c4r16p2"}}}


def written(folder: Path, infrastructure: dict[str, Any], **more: Any) -> Path:
    return write_inventory(folder, OPENSTACK | {"infrastructure": infrastructure} | more)


def refused(inventory: Path) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        load(str(inventory))
    return caught.value


def on_openstack(**other: Any) -> dict[str, Any]:
    return {**OPENSTACK["infrastructure"], **other}


@pytest.mark.parametrize("command", ["up", "preview", "destroy"])
def test_another_cloud_is_refused_before_the_engine_is_started(
    bench: Bench, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    bench.engine.script(bench.up_script())
    bench.driver.apply(lambda text: None)
    before, other = len(bench.engine.words()), bench.folder / "copy"
    other.mkdir()
    inventory = written(other, on_openstack(auth_url="https://keystone.elsewhere.example/v3"))
    words = [command, str(inventory), "--vault-password-file", str(bench.vault)]
    status = main.main([*words, *(["--yes", "--confirm", "cloudy"] if command == "destroy" else [])])
    said = capsys.readouterr().err
    line = 1 + inventory.joinpath("suite.yml").read_text().splitlines().index(
        "  auth_url: https://keystone.elsewhere.example/v3"
    )
    assert status == 2
    assert f"suite.yml:{line}: infrastructure.auth_url: 'https://keystone.elsewhere.example/v3'" in said
    assert "the suite 'cloudy' lies on a cloud with 'https://ops.elastx.cloud:5000/v3'" in said
    assert f"suite-deploy destroy {inventory} --with-data" in said and str(bench.state / "immutable.json") in said
    assert len(bench.engine.words()) == before


@pytest.mark.parametrize(
    ("made", "now", "keys"),
    [
        (on_openstack(), on_openstack(region="no-osl"), {"region"}),
        (on_openstack(), on_openstack(region="no-osl", auth_url="https://k.example/v3"), {"region", "auth_url"}),
        (on_openstack(), OVH, {"driver"}),
        (OVH, OVH | {"project": "4567"}, {"project"}),
        (OVH, OVH | {"endpoint": "ovh-ca"}, {"endpoint"}),
        (OVH, OVH | {"region": "SBG5"}, {"region"}),
        (OUTSCALE, OUTSCALE | {"region": "eu-west-9"}, {"region"}),
        (OUTSCALE, OUTSCALE | {"endpoint": "https://api.own.example/api/v1"}, {"endpoint"}),
        (on_openstack(), {"driver": "existing", "hosts": {"one": ...}}, {"driver"}),
    ],
)
def test_every_key_that_says_which_cloud_is_compared(
    bench: Bench, made: dict[str, Any], now: dict[str, Any], keys: set[str]
) -> None:
    record_cloud(load(str(written(bench.folder, made))))
    if now["driver"] == "existing":
        given = {"groups": ["edge", "apps", "data"], "address": "h.example", "private_address": "192.0.2.7"}
        now = now | {"hosts": {"one": given}}
    found = refused(written(bench.folder, now)).problems
    assert {problem.key for problem in found} == {f"infrastructure.{key}" for key in keys}
    assert all(problem.line for problem in found)


@pytest.mark.parametrize(
    ("made", "now"),
    [
        (on_openstack(), on_openstack(auth_url="https://OPS.elastx.cloud:5000/")),
        (
            on_openstack(auth_url="https://k.example/identity/v3"),
            on_openstack(auth_url="https://k.example:443/identity"),
        ),
        (on_openstack(), on_openstack(offer="elastx/other", external_network="another")),
        (OUTSCALE, OUTSCALE | {"endpoint": "https://api.eu-west-2.outscale.com/api/v1"}),
        (OVH, OVH | {"endpoint": "ovh-eu", "vlan": 7}),
    ],
)
def test_what_is_the_same_cloud_is_accepted_however_it_is_written(
    bench: Bench, made: dict[str, Any], now: dict[str, Any]
) -> None:
    record_cloud(load(str(written(bench.folder, made))))
    load(str(written(bench.folder, now)))


def test_a_failure_before_anything_was_made_binds_to_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.engine.script(bench.up_script(preview={"status": 255, "stderr": "error: no such host"}))
    with pytest.raises(CouldNotRun):
        bench.driver.apply(lambda text: None)
    load(str(written(bench.folder, on_openstack(region="no-osl"))))


def test_a_creation_that_was_cut_off_binds(bench: Bench) -> None:
    bench.engine.script(bench.up_script(up={"status": 255, "stderr": "error: connection reset"}))
    with pytest.raises(CouldNotRun):
        bench.driver.apply(lambda text: None)
    assert refused(written(bench.folder, on_openstack(region="no-osl")))


def test_data_that_stays_binds_and_with_it_gone_the_suite_may_be_anywhere(bench: Bench) -> None:
    bench.engine.script(bench.up_script())
    bench.driver.apply(lambda text: None)
    bench.engine.script(bench.up_script(**{"stack export": {"stdout": json.dumps({"deployment": {"resources": []}})}}))
    elsewhere = on_openstack(region="no-osl")
    bench.driver.destroy(lambda text: None, with_data=False)
    assert refused(written(bench.folder, elsewhere))
    bench.driver.destroy(lambda text: None, with_data=True)
    load(str(written(bench.folder, elsewhere)))


def test_a_cloud_with_a_new_address_is_written_into_the_record(bench: Bench) -> None:
    record_cloud(bench.deployment)
    moved = written(bench.folder, on_openstack(auth_url="https://new.elastx.cloud:5000/v3"))
    assert f"in {bench.state / 'immutable.json'}" in str(refused(moved))
    record = json.loads((bench.state / "immutable.json").read_text())
    record["infrastructure.auth_url"] = "https://new.elastx.cloud:5000/v3"
    (bench.state / "immutable.json").write_text(json.dumps(record))
    load(str(moved))


def test_a_state_of_an_older_version_works_on_and_its_outputs_say_which_cloud(bench: Bench) -> None:
    """Without a record of it: outputs.json has the address; without that either, nothing is refused."""
    bench.engine.script(bench.up_script())
    bench.driver.apply(lambda text: None)
    (bench.state / "immutable.json").write_text('{"domain": "cloudy.example"}')
    load(str(bench.deployment.directory))
    elsewhere = written(bench.folder, on_openstack(region="no-osl"))
    assert refused(elsewhere)
    (bench.state / "outputs.json").unlink()
    load(str(elsewhere))


def test_outputs_of_hosts_that_were_given_say_nothing_of_a_cloud(bench: Bench) -> None:
    bench.state.mkdir(parents=True)
    made = {"driver": "existing", "facts": {"region": "elsewhere"}}
    (bench.state / "outputs.json").write_text(json.dumps(made))
    load(str(bench.deployment.directory))
    (bench.state / "outputs.json").write_text("no json")
    load(str(bench.deployment.directory))
