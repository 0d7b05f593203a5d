# SPDX-License-Identifier: MIT
"""`doctor` for OVHcloud: its own interface and OpenStack's are looked at apart; no key is ever shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from suite_deploy import main

from .cloud_support import bench
from .keystone_double import PASSWORD
from .ovh_clouds import PARIS, Clouds, clouds
from .ovh_double import ACCOUNT, KEYS

__all__ = ["bench", "clouds"]
OWN, SIGN_IN = "OVHcloud's own interface", "sign-in and region"


def checks(clouds: Clouds, capsys: pytest.CaptureFixture[str], **more: Any) -> tuple[int, dict[str, dict[str, Any]]]:
    status = main.main(["doctor", str(clouds.inventory(**more)), "--format", "json"])
    text = capsys.readouterr().out
    for secret in (*KEYS.values(), *ACCOUNT.values(), PASSWORD, "guessed-wrong"):
        assert secret not in text
    return status, {item["name"]: item for item in json.loads(text)["checks"]}


def test_an_open_region_is_said(clouds: Clouds, capsys: pytest.CaptureFixture[str]) -> None:
    clouds.keystone.others = ("GRA11",)
    _, found = checks(clouds, capsys, region="GRA11")
    assert found[f"reach: {OWN}"]["status"] == "ok"
    assert found[OWN]["found"] == "keys accepted, project known, vRack pn-1234, region GRA11 open"
    assert found["credentials: ovh"]["found"].endswith(
        ": OVH_APPLICATION_KEY, OVH_APPLICATION_SECRET, OVH_CONSUMER_KEY"
    )
    assert found[SIGN_IN]["status"] == "ok" and "flavors" in found[SIGN_IN]["found"]


def test_a_region_that_up_opens_is_no_fault(clouds: Clouds, capsys: pytest.CaptureFixture[str]) -> None:
    _, found = checks(clouds, capsys)
    assert (found[OWN]["status"], found[SIGN_IN]["status"]) == ("ok", "ok")
    assert found[OWN]["found"].endswith(f"region {PARIS} not open yet: `up` opens it")
    assert "yet to open the region" in found[SIGN_IN]["found"]
    assert "POST" not in {request.partition(" ")[0] for request in clouds.api.requests}, "nothing was opened"


def test_a_project_without_a_vrack_is_no_place_for_a_network(
    clouds: Clouds, capsys: pytest.CaptureFixture[str]
) -> None:
    clouds.api.vrack = ""
    status, found = checks(clouds, capsys)
    assert (status, found[OWN]["status"]) == (3, "wrong")
    assert "attached to no vRack" in found[OWN]["found"] and "free of charge" in found[OWN]["next_step"]


def test_both_interfaces_are_found_wrong_in_one_run(
    clouds: Clouds, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVH_CONSUMER_KEY", "guessed-wrong")
    monkeypatch.setenv("OS_PASSWORD", "guessed-wrong")
    status, found = checks(clouds, capsys)
    assert status == 3
    assert (found[OWN]["status"], found[SIGN_IN]["status"]) == ("wrong", "wrong")
    assert "does not accept the keys" in found[OWN]["found"] and "OVH_CONSUMER_KEY" in found[OWN]["next_step"]
    assert "the cloud does not accept the credentials" in found[SIGN_IN]["found"]


def test_wrong_keys_hide_nothing_of_openstack(
    clouds: Clouds, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVH_APPLICATION_SECRET", "guessed-wrong")
    status, found = checks(clouds, capsys)
    assert (status, found[OWN]["status"]) == (3, "wrong")
    assert (found[SIGN_IN]["status"], found[SIGN_IN]["found"]) == ("ok", "signed in; regions: SBG5")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"project": "0000"}, "knows no such project"),
        ({"region": "GRA77"}, "OVHcloud has no region 'GRA77' for this project"),
    ],
)
def test_a_wrong_project_or_region_is_said(
    clouds: Clouds, capsys: pytest.CaptureFixture[str], more: dict[str, str], said: str
) -> None:
    status, found = checks(clouds, capsys, **more)
    assert (status, found[OWN]["status"]) == (3, "wrong")
    assert said in found[OWN]["found"]


def test_missing_keys_are_named_and_nothing_is_asked_with_none(
    clouds: Clouds, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OVH_CONSUMER_KEY")
    status, found = checks(clouds, capsys)
    assert (status, found[OWN]["status"]) == (3, "not checked")
    assert "OVH_CLIENT_ID" in found["credentials"]["next_step"]


def test_of_two_kinds_of_key_one_is_used_and_named(
    clouds: Clouds, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """OVHcloud's provider refuses to choose, in the middle of a run."""
    for name, value in ACCOUNT.items():
        monkeypatch.setenv(name, value)
    _, found = checks(clouds, capsys)
    assert "OVH_CLIENT_ID" not in found["credentials: ovh"]["found"]
    assert found[OWN]["status"] == "ok"
