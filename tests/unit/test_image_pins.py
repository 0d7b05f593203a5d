# SPDX-License-Identifier: MIT
"""Images that are not pinned: said before a host is made, by everything that comes before one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from suite_deploy import main
from suite_deploy.images.lock import used_images
from suite_deploy.model.loader import load

from .cloud_support import OPENSTACK, Bench, bench, pin_images, write_inventory

__all__ = ["bench"]
EXISTING: dict[str, Any] = OPENSTACK | {
    "profile": "dev",
    "infrastructure": {
        "driver": "existing",
        "hosts": {"one": {"groups": ["edge", "apps", "data"], "address": "h.example", "private_address": "192.0.2.7"}},
    },
}


def run(bench: Bench, capsys: pytest.CaptureFixture[str], command: str) -> tuple[int, str]:
    words = [command, str(bench.deployment.directory), "--vault-password-file", str(bench.vault)]
    status = main.main(words)
    said = capsys.readouterr()
    return status, said.out + said.err


@pytest.mark.parametrize("command", ["up", "preview"])
@pytest.mark.parametrize("content", [OPENSTACK, EXISTING], ids=["cloud", "existing"])
def test_without_pins_nothing_is_asked_and_nothing_made(
    bench: Bench, capsys: pytest.CaptureFixture[str], command: str, content: dict[str, Any]
) -> None:
    write_inventory(bench.folder, content)
    bench.deployment.images_lock.unlink()
    status, said = run(bench, capsys, command)
    assert status == 2, said
    (image,) = used_images(bench.deployment)
    assert f"{bench.deployment.images_lock}: images.{image}: is not pinned to a digest" in said
    assert f"suite-deploy images lock {bench.deployment.directory}" in said
    assert bench.engine.words() == [] and not bench.state.exists()


def test_with_pins_preview_goes_on_to_the_plan(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.engine.script(bench.up_script())
    status, said = run(bench, capsys, "preview")
    assert status == 0, said
    assert "host-one" in said


def test_preview_installs_what_is_pinned_now_and_not_what_the_last_up_found(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    (image,) = used_images(bench.deployment)
    bench.state.mkdir(parents=True)
    (bench.state / "last-run.json").write_text(json.dumps({"images": {image: f"old@sha256:{7:064x}"}}))
    pin_images(bench.deployment, 8)
    bench.engine.script(bench.up_script())
    status = main.main(
        ["preview", str(bench.deployment.directory), "--vault-password-file", str(bench.vault), "--format", "json"]
    )
    files = json.loads(capsys.readouterr().out)["files"]
    text = json.dumps(files)
    assert status == 0 and f"{8:064x}" in text and f"{7:064x}" not in text


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    answer = requests.Response()
    answer.status_code = 300
    monkeypatch.setattr(requests, "get", lambda url, **options: answer)
    yield


def row(bench: Bench, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    main.main(["doctor", str(bench.deployment.directory), "--format", "json"])
    (found,) = [item for item in json.loads(capsys.readouterr().out)["checks"] if item["name"] == "image pins"]
    return dict(found)


@pytest.mark.usefixtures("reachable")
@pytest.mark.parametrize("content", [OPENSTACK, EXISTING], ids=["cloud", "existing"])
def test_doctor_counts_the_pins_that_are_missing(
    bench: Bench, capsys: pytest.CaptureFixture[str], content: dict[str, Any]
) -> None:
    write_inventory(bench.folder, content)
    lock = bench.deployment.images_lock
    lock.unlink()
    found = row(bench, capsys)
    assert (found["status"], found["found"]) == ("missing", f"{lock}: lacks 1 of 1")
    assert found["next_step"] == f"Run: suite-deploy images lock {bench.deployment.directory}"
    pin_images(bench.deployment)
    assert row(bench, capsys)["status"] == "ok"
    lock.write_text("images: 3\n")
    assert (found := row(bench, capsys))["status"] == "wrong" and str(lock.name) in found["found"]


def test_hosts_of_this_machine_get_their_pins_from_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SUITE_DEPLOY_STATE_ROOT", str(tmp_path))
    main.main(["doctor", "demo", "--format", "json"])
    (found,) = [item for item in json.loads(capsys.readouterr().out)["checks"] if item["name"] == "image pins"]
    assert found["status"] == "not needed"
    assert not yaml.safe_load((load("demo").directory / "suite.yml").read_text()).get("images")
