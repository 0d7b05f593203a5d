# SPDX-License-Identifier: MIT
"""Flavors and quota through the cloud's real client; refusals say what is wrong and what to look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from suite_deploy.cloud.asking import ask
from suite_deploy.cloud.credentials import Credentials
from suite_deploy.cloud.need import Size
from suite_deploy.cloud.openstack_room import project_of
from suite_deploy.cloud.room import Left, Room
from suite_deploy.errors import CouldNotRun
from suite_deploy.model.loader import load
from suite_deploy.model.suite import OpenStack

from .cloud_support import OPENSTACK, write_inventory
from .keystone_double import PASSWORD, PROJECT, USER, Keystone, serve


@pytest.fixture
def keystone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keystone]:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serve(Keystone()) as running:
        yield running


def asked(folder: Path, url: str, *, region: str = "se-sto", password: str = PASSWORD, **more: Any) -> Room:
    """more: keys of the inventory's infrastructure."""
    infrastructure: dict[str, Any] = {**OPENSTACK["infrastructure"], "auth_url": f"{url}/v3", "region": region, **more}
    deployment = load(str(write_inventory(folder, OPENSTACK | {"infrastructure": infrastructure})))
    variables = {"OS_USERNAME": USER, "OS_PASSWORD": password, "OS_PROJECT_NAME": "p"}
    return ask(deployment, Credentials(variables, {"openstack": "environment"}, ()))


def test_flavors_and_quota_are_read(keystone: Keystone, tmp_path: Path) -> None:
    room = asked(tmp_path, keystone.url)
    assert room.flavors["b3-16"] == room.flavors["id-of-b3-16"] == Size("b3-16", 4, 16000)
    assert room.left["vCPU"] == Left(20, 8)
    assert room.left["memory MiB"] == Left(None, 16000), "-1 is no limit"
    assert room.left["volume GiB"] == Left(1000, 100)
    assert room.left["public addresses"] == Left(50, 6), "reserved ones are not free"
    assert room.silent == ()
    assert room.project == PROJECT


def test_which_project_the_credentials_are_of_is_asked_by_signing_in_alone(keystone: Keystone, tmp_path: Path) -> None:
    infrastructure: dict[str, Any] = {**OPENSTACK["infrastructure"], "auth_url": f"{keystone.url}/v3"}
    deployment = load(str(write_inventory(tmp_path, OPENSTACK | {"infrastructure": infrastructure})))
    cloud = deployment.suite.infrastructure
    assert isinstance(cloud, OpenStack)
    variables = {"OS_USERNAME": USER, "OS_PASSWORD": PASSWORD, "OS_PROJECT_NAME": "p"}
    assert project_of(cloud, Credentials(variables, {}, ())) == PROJECT
    with pytest.raises(CouldNotRun, match="does not accept the credentials"):
        project_of(cloud, Credentials(variables | {"OS_PASSWORD": "wrong"}, {}, ()))


@pytest.mark.parametrize(
    ("shown", "gib"),
    [
        ({"min_disk": 40, "disk_format": "qcow2", "size": 2 << 30, "virtual_size": None}, 40),
        ({"min_disk": 0, "disk_format": "qcow2", "size": 2 << 30, "virtual_size": 30 << 30}, 30),
        ({"min_disk": 0, "disk_format": "raw", "size": (30 << 30) + 1, "virtual_size": None}, 31),
        ({"min_disk": 0, "disk_format": "qcow2", "size": 30 << 30, "virtual_size": None}, 0),
    ],
    ids=["minimum", "unpacked", "raw", "packed"],
)
def test_the_disk_that_an_image_by_its_id_needs_is_read(
    keystone: Keystone, tmp_path: Path, shown: dict[str, Any], gib: int
) -> None:
    keystone.pinned[OPENSTACK["infrastructure"]["image"]["id"]] = shown
    room = asked(tmp_path, keystone.url)
    assert (room.image_gib, room.silent) == (gib, ())


def test_the_disk_that_a_named_image_needs_is_that_of_the_newest(keystone: Keystone, tmp_path: Path) -> None:
    packed = {"min_disk": 0, "disk_format": "qcow2", "size": 2 << 30}
    keystone.named = {
        "Debian 12": [{"created_at": "2026-09-01T00:00:00Z", "min_disk": 90}],
        "Debian 13": [
            {"created_at": "2026-01-01T00:00:00Z", "min_disk": 80},
            {"created_at": "2026-05-01T00:00:00Z", **packed, "virtual_size": 40 << 30},
            {"created_at": "2026-03-01T00:00:00Z", "min_disk": 70},
            {"created_at": "2026-08-01T00:00:00Z", "min_disk": 60, "status": "queued"},
        ],
    }
    room = asked(tmp_path, keystone.url, image={"name": "Debian 13"})
    assert (room.image_gib, room.silent) == (40, ())
    room = asked(tmp_path, keystone.url, image={"name": "Debian 14"})
    assert (room.image_gib, room.silent) == (0, ()), "that it is missing is said by who boots from it"


def test_an_image_that_is_yet_to_be_uploaded_is_not_asked_for(keystone: Keystone, tmp_path: Path) -> None:
    asked(tmp_path, keystone.url, image={"url": "https://images.example/debian-13.qcow2", "sha256": "a" * 64})
    assert not [request for request in keystone.requests if "/images" in request]


def test_an_image_that_the_cloud_does_not_show_is_named(keystone: Keystone, tmp_path: Path) -> None:
    keystone.hide = ("/images/",)
    room = asked(tmp_path, keystone.url)
    assert room.image_gib == 0 and room.silent[0].startswith("size of the system image: ")


def test_nothing_is_changed_by_asking(keystone: Keystone, tmp_path: Path) -> None:
    asked(tmp_path, keystone.url)
    assert {request.partition("?")[0] for request in keystone.requests if not request.startswith("GET ")} == {
        "POST /v3/auth/tokens"
    }


def test_the_environment_decides_nothing(keystone: Keystone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_AUTH_URL", "http://127.0.0.1:9/v3")
    monkeypatch.setenv("OS_REGION_NAME", "elsewhere")
    monkeypatch.setenv("OS_PASSWORD", "another")
    assert asked(tmp_path, keystone.url).left


def test_wrong_credentials_are_said(keystone: Keystone, tmp_path: Path) -> None:
    with pytest.raises(CouldNotRun) as refused:
        asked(tmp_path, keystone.url, password="guessed-wrong")
    assert "the cloud does not accept the credentials" in str(refused.value)
    assert "suite-deploy doctor NAME" in str(refused.value)
    assert "guessed-wrong" not in str(refused.value)


def test_a_wrong_region_is_answered_with_those_there_are(keystone: Keystone, tmp_path: Path) -> None:
    where = r"suite\.yml:\d+: infrastructure\.region: the cloud has no region 'SE-STO'"
    with pytest.raises(CouldNotRun, match=rf"{where} for this account\.\n  There is: se-sto\."):
        asked(tmp_path, keystone.url, region="SE-STO")


def test_a_cloud_that_does_not_answer_is_said(tmp_path: Path) -> None:
    with pytest.raises(CouldNotRun, match=r"the cloud does not answer\n(.|\n)*Nothing was touched"):
        asked(tmp_path, "http://127.0.0.1:9")


def test_a_quota_that_a_cloud_does_not_show_is_named(keystone: Keystone, tmp_path: Path) -> None:
    keystone.hide = ("/network/v2.0/quotas",)
    room = asked(tmp_path, keystone.url)
    assert "vCPU" in room.left and "public addresses" not in room.left
    assert room.silent and room.silent[0].startswith("quota of networks: ")


@pytest.mark.parametrize(
    ("status", "type", "body", "said"),
    [
        (503, "text/plain", "busy", "the cloud could not be signed in to\n(.|\n)*503(.|\n)*Run the same command again"),
        (400, "application/json", "{}", "the cloud could not be signed in to\n(.|\n)*suite-deploy doctor"),
        (200, "text/html", "<html>Welcome</html>", "what answers there is no OpenStack\n(.|\n)*a portal on the way"),
    ],
)
def test_what_answers_in_place_of_a_sign_in_is_not_called_a_quota(
    tmp_path: Path, keystone: Keystone, monkeypatch: pytest.MonkeyPatch, status: int, type: str, body: str, said: str
) -> None:
    answer = (status, body, {"Content-Type": type})
    monkeypatch.setattr(Keystone, "answer", lambda self, method, path, content: answer)
    with pytest.raises(CouldNotRun, match=said) as refused:
        asked(tmp_path, keystone.url)
    assert "quota" not in str(refused.value)
