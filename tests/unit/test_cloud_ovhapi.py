# SPDX-License-Identifier: MIT
"""OVHcloud's own interface, asked as its library asks; refusals say which of the operator's words is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from suite_deploy.cloud import ovh_room, ovhapi
from suite_deploy.cloud.asking import ask
from suite_deploy.cloud.credentials import Credentials
from suite_deploy.cloud.ovh_room import wait_until_open
from suite_deploy.cloud.ovhapi import Interface
from suite_deploy.cloud.room import Left, Room
from suite_deploy.errors import CouldNotRun
from suite_deploy.model.loader import load
from suite_deploy.model.suite import Ovh
from suite_deploy.model.values import OVH_AUTH

from .cloud_support import OPENSTACK, write_inventory
from .keystone_double import PASSWORD, PROJECT, USER, Keystone, serve
from .ovh_double import ACCOUNT, KEYS, TOKEN, OvhApi, serve_ovh

SIGN_IN = {"OS_USERNAME": USER, "OS_PASSWORD": PASSWORD, "OS_PROJECT_ID": PROJECT}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[OvhApi]:
    with serve_ovh(OvhApi(), monkeypatch) as running:
        yield running


@pytest.fixture
def keystone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keystone]:
    with serve(Keystone(region="SBG5", others=("GRA11",))) as running:
        monkeypatch.setitem(OVH_AUTH, "ovh-eu", f"{running.url}/v3")
        yield running


def inventory(folder: Path, region: str = "GRA11", project: str = PROJECT) -> Any:
    infrastructure = {
        "driver": "ovh",
        "offer": "ovhcloud/public-cloud",
        "region": region,
        "project": project,
        "hosts": OPENSTACK["infrastructure"]["hosts"],
    }
    return load(str(write_inventory(folder, OPENSTACK | {"infrastructure": infrastructure})))


def asked(folder: Path, keys: Mapping[str, str] = KEYS, **where: str) -> Room:
    return ask(inventory(folder, **where), Credentials({**SIGN_IN, **keys}, {}, ()))


def interface(keys: Mapping[str, str] = KEYS, project: str = PROJECT) -> Interface:
    return Interface("ovh-eu", project, keys)


@pytest.mark.parametrize("keys", [KEYS, ACCOUNT, {"OVH_ACCESS_TOKEN": TOKEN}])
def test_every_kind_of_key_is_taken(api: OvhApi, keys: dict[str, str]) -> None:
    own = interface(keys)
    assert own.regions() == {"GRA11", "SBG5"}
    assert own.closed_regions() == {"EU-WEST-PAR"}
    assert own.gateways("GRA11") == (2, 0)
    assert own.is_up("GRA11") and not own.is_up("EU-WEST-PAR")


def test_nothing_is_changed_by_asking(api: OvhApi, keystone: Keystone, tmp_path: Path) -> None:
    asked(tmp_path)
    assert {request.partition(" ")[0] for request in api.requests} == {"GET"}


@pytest.mark.parametrize("name", [*KEYS, *ACCOUNT])
def test_wrong_keys_are_said_without_their_values(api: OvhApi, name: str) -> None:
    keys = {**(KEYS if name in KEYS else ACCOUNT), name: "guessed-wrong"}
    with pytest.raises(CouldNotRun, match="own interface does not accept the keys") as refused:
        interface(keys).regions()
    assert "OVH_CONSUMER_KEY" in str(refused.value) and "request EU.ext-1.test" in str(refused.value)
    assert not [value for value in keys.values() if value in str(refused.value)]


def test_keys_without_the_rights_are_told_which_they_need(api: OvhApi) -> None:
    api.granted = False
    with pytest.raises(CouldNotRun, match=r"does not let these keys do that\n(.|\n)*GET, POST, PUT and DELETE"):
        interface().regions()


def test_a_project_of_nobody_is_said_with_its_key(api: OvhApi) -> None:
    with pytest.raises(CouldNotRun, match=r"knows no such project\n(.|\n)*infrastructure\.project is the id"):
        interface(project="0000").regions()


@pytest.mark.parametrize("answer", [(503, "<html>later</html>"), (429, '{"message": "Too many"}'), (200, "hello")])
def test_an_answer_that_is_none_is_said_and_asked_again_later(api: OvhApi, answer: tuple[int, str]) -> None:
    api.broken = answer
    with pytest.raises(CouldNotRun, match=r"could not be asked\n(.|\n)*Nothing was touched"):
        interface().regions()


def test_an_interface_that_hangs_is_given_up(api: OvhApi, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ovhapi.ANSWER == 10.0
    monkeypatch.setattr(ovhapi, "ANSWER", 0.2)
    api.delay = 1.0
    with pytest.raises(CouldNotRun, match=r"own interface does not answer\n(.|\n)*Nothing was touched"):
        interface().regions()


def test_a_refusal_that_repeats_a_key_does_not_print_it(api: OvhApi) -> None:
    api.broken = (403, '{"message": "no application its-hidden-half"}')
    with pytest.raises(CouldNotRun, match="no application …"):
        interface({"OVH_ACCESS_TOKEN": "its-hidden-half"}).regions()


@pytest.mark.parametrize("region", ["GRA11", "EU-WEST-PAR"])
def test_a_project_without_a_vrack_is_said_before_a_region_is_opened(
    api: OvhApi, keystone: Keystone, tmp_path: Path, region: str
) -> None:
    api.vrack = ""
    assert interface().vrack() is None
    with pytest.raises(CouldNotRun, match="attached to no vRack"):
        asked(tmp_path, region=region)
    assert keystone.requests == []


def test_keys_are_taken_nowhere_else(api: OvhApi) -> None:
    api.moved = f"{api.url}/elsewhere"
    with pytest.raises(CouldNotRun, match="could not be asked"):
        interface({"OVH_ACCESS_TOKEN": TOKEN}).regions()
    assert not [request for request in api.requests if "/elsewhere" in request]


def test_a_quota_of_gateways_that_may_not_be_asked_is_no_reason_to_stop(
    api: OvhApi, keystone: Keystone, tmp_path: Path
) -> None:
    api.hide = ("/quota",)
    found = asked(tmp_path)
    assert "vCPU" in found.left and "gateways" not in found.left
    (said,) = found.silent
    assert said.startswith("quota of gateways: ") and "does not let these keys do that" in said


def test_an_open_region_is_asked_for_flavors_quota_and_gateways(
    api: OvhApi, keystone: Keystone, tmp_path: Path
) -> None:
    found = asked(tmp_path)
    assert not found.closed and "b3-8" in found.flavors
    assert found.left["gateways"] == Left(2, 0) and found.left["vCPU"].limit == 20


def test_gateways_that_are_not_shown_are_named(api: OvhApi, keystone: Keystone, tmp_path: Path) -> None:
    api.gateways = None
    found = asked(tmp_path)
    assert "gateways" not in found.left and "quota of gateways" in found.silent


def test_a_region_that_is_not_open_yet_is_no_error(api: OvhApi, keystone: Keystone, tmp_path: Path) -> None:
    found = asked(tmp_path, region="EU-WEST-PAR")
    assert found.closed and not found.flavors and not found.left
    assert found.silent == ("flavors and quota: the project has yet to open the region EU-WEST-PAR",)


def test_a_closed_region_still_asks_openstack_whether_it_takes_the_credentials(
    api: OvhApi, keystone: Keystone, tmp_path: Path
) -> None:
    keystone.password = "another"
    with pytest.raises(CouldNotRun, match="the cloud does not accept the credentials"):
        asked(tmp_path, region="EU-WEST-PAR")


def test_a_region_that_cannot_be_opened_is_answered_with_those_that_can(
    api: OvhApi, keystone: Keystone, tmp_path: Path
) -> None:
    with pytest.raises(CouldNotRun, match=r"no region 'gra11' .*\n.*Open: GRA11, SBG5\. It may open: EU-WEST-PAR\."):
        asked(tmp_path, region="gra11")


def test_wrong_keys_of_its_own_interface_stop_before_openstack_is_asked(
    api: OvhApi, keystone: Keystone, tmp_path: Path
) -> None:
    with pytest.raises(CouldNotRun, match="own interface does not accept the keys"):
        asked(tmp_path, {**KEYS, "OVH_CONSUMER_KEY": "guessed-wrong"})
    assert keystone.requests == []


def test_a_region_that_openstack_does_not_list_yet_is_asked_again_later(
    api: OvhApi, keystone: Keystone, tmp_path: Path
) -> None:
    keystone.others = ()
    with pytest.raises(CouldNotRun, match=r"There is: SBG5\.\n.*run the same command again in a few minutes"):
        asked(tmp_path)


def test_an_opened_region_is_waited_for(
    api: OvhApi, keystone: Keystone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ovh_room, "PAUSE", 0.01)
    infrastructure = inventory(tmp_path).suite.infrastructure
    assert isinstance(infrastructure, Ovh)
    credentials = Credentials({**SIGN_IN, **KEYS}, {}, ())
    api.busy, keystone.others, said = 2, (), []

    def told(text: str) -> None:
        said.append(text)
        if len(said) == 4:
            keystone.others = ("GRA11",)

    wait_until_open(infrastructure, credentials, told)
    assert said == ["waiting for the region GRA11"] * 4, "twice it did not work, twice OpenStack did not list it"
    api.busy = 1000
    monkeypatch.setattr(ovh_room, "PATIENCE", 0.05)
    with pytest.raises(CouldNotRun, match=r"GRA11 was opened, and does not work yet(.|\n)*Run the same command again"):
        wait_until_open(infrastructure, credentials, told)
