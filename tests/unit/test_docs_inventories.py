# SPDX-License-Identifier: MIT
"""Whoever types what the operator guide shows gets an inventory that is accepted, and the engine that belongs to it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

from suite_deploy.cloud.engine import PLUGINS, pinned, plugins_wanted
from suite_deploy.images.lock import Pin, used_images, write_lock
from suite_deploy.main import main
from suite_deploy.model.loader import load
from tests.checkout import ROOT, relative, text

ENGLISH, FRENCH = GUIDES = (ROOT / "docs/operator", ROOT / "docs/fr/operator")
#: a whole inventory, as its first line says
WHOLE = re.compile(r"^ {4}# inventories/[^/\n]+/suite\.yml\n(?: {4}.*\n)+", re.M)
DAY = "2026-11-22"
EXAMPLES = [
    pytest.param(re.sub("^ {4}", "", found, flags=re.M), id=f"{page.name}-{number}")
    for page in sorted(ENGLISH.glob("*.md"))
    for number, found in enumerate(WHOLE.findall(text(page)))
]
OWN_CLOUD = "### A cloud that the register does not know"


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home directory without files of clouds, and a folder to start commands in."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("OS_CLOUD", "OS_AUTH_URL", "OS_REGION_NAME", "OVH_ENDPOINT", "OSC_PROFILE", "OSC_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def written(folder: Path, inventory: str) -> str:
    """The path of an inventory with all its images pinned, as `images lock` leaves it."""
    folder.mkdir(parents=True)
    (folder / "suite.yml").write_text(inventory)
    deployment = load(str(folder))
    pin = Pin(
        digest=f"sha256:{'1' * 64}",
        origin="registry",
        resolved=datetime(2026, 11, 22, tzinfo=UTC),
        mirror=deployment.suite.images.mirror,
    )
    write_lock(deployment.images_lock, dict.fromkeys(used_images(deployment), pin))
    return str(folder)


@pytest.mark.parametrize("inventory", EXAMPLES)
def test_a_whole_inventory_of_the_guide_is_accepted_as_it_stands(
    inventory: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["check", written(tmp_path / "inventories/region-x", inventory), "--on", DAY])
    said = capsys.readouterr()
    assert (status, said.err) == (0, ""), said.out


def test_each_kind_of_cloud_has_its_whole_inventory() -> None:
    shown = [yaml.safe_load(str(one.values[0])) for one in EXAMPLES]
    kinds = {f"{one['infrastructure']['driver']} {one['profile']}" for one in shown}
    assert kinds == {"existing eu", "openstack eu", "openstack fr-snc", "ovh eu", "outscale eu"}


def test_the_french_guide_shows_the_same_inventories() -> None:
    def of(guide: Path) -> dict[str, list[object]]:
        pages = {page.name: WHOLE.findall(text(page)) for page in guide.glob("*.md")}
        return {name: [yaml.safe_load(one) for one in found] for name, found in pages.items()}

    assert of(FRENCH) == of(ENGLISH)


def test_hosts_written_by_hand_take_the_place_of_derived_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = text(ENGLISH / "clouds.md")
    shown = re.search(r"^ {4}infrastructure:\n {6}hosts:\n(?: {8}.*\n)+", page, re.M)
    assert shown
    [example] = WHOLE.findall(text(ENGLISH / "openstack.md"))
    content = yaml.safe_load(example)
    content["infrastructure"] |= yaml.safe_load(shown[0])["infrastructure"]
    folder = written(tmp_path / "inventories/region-x", yaml.safe_dump(content))
    assert main(["check", folder, "--on", DAY]) == 0, capsys.readouterr().out


def own_cloud() -> str:
    """The guide's section about clouds that the register does not know."""
    return text(ENGLISH / "openstack.md").partition(OWN_CLOUD)[2].partition("\n## ")[0]


def on_own_cloud() -> dict[str, object]:
    """The guide's OpenStack example, on a cloud that the register does not know."""
    [example] = WHOLE.findall(text(ENGLISH / "openstack.md"))
    content: dict[str, object] = yaml.safe_load(example)
    content["infrastructure"] = {
        "driver": "openstack",
        "offer": "region-x/own-cloud",
        "region": "RegionOne",
        "auth_url": "https://keystone.region-x.example/v3",
        "image": {"name": "Debian 13"},
        "object_store": {"endpoint": "https://s3.region-x.example", "region": "RegionOne"},
    }
    return content


def test_a_cloud_of_ones_own_is_accepted_with_the_rows_that_the_guide_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(tmp_path / "inventories/region-x", yaml.safe_dump(on_own_cloud()))
    assert main(["check", folder, "--on", DAY]) == 3
    assert "is no offer of the register" in capsys.readouterr().out

    register = Path(folder, "register.yml")
    assert main(["policy", "register", "--export", str(register)]) == 0
    content = register.read_text()
    for key in ("sources", "offers", "regions"):
        row = re.search(rf"^ {{6}}{key}:\n {{6}}(.+\n)", own_cloud(), re.M)
        assert row, key
        content = content.replace(f"\n{key}:\n", f"\n{key}:\n{row[1]}", 1)
    register.write_text(content)
    declared = {"file": "register.yml", "sha256": sha256(register.read_bytes()).hexdigest()}
    Path(folder, "suite.yml").write_text(yaml.safe_dump({**on_own_cloud(), "register": declared}))
    assert main(["check", folder, "--on", DAY]) == 0, capsys.readouterr().out


def test_waivers_named_by_the_guide_are_the_ones_that_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = written(tmp_path / "inventories/region-x", yaml.safe_dump(on_own_cloud()))
    named = re.findall(r"`rule: ([A-Z]+-\d+)` and `target: ([a-z._]+)`", text(ENGLISH / "openstack.md"))
    assert {rule for rule, _ in named} == {"REG-001", "REG-003"}
    common = {"reason": "our own cloud, in our own rooms", "approver": "CISO", "ticket": "SEC-42"}
    days = {"created": "2026-11-01", "expires": "2027-11-01"}
    waivers = [{"rule": rule, "target": target, **common, **days} for rule, target in named]
    Path(folder, "waivers.yml").write_text(yaml.safe_dump({"schema": 1, "waivers": waivers}))
    assert main(["check", folder, "--on", DAY]) == 0, capsys.readouterr().out


@pytest.mark.parametrize("guide", GUIDES, ids=relative)
def test_the_engine_and_plugins_to_fetch_by_hand_are_those_of_this_release(guide: Path) -> None:
    page = text(guide / "clouds.md")
    assert f"VERSION={pinned()}\n" in page
    for driver in PLUGINS:
        for plugin, version in plugins_wanted(driver).items():
            line = f"plugin install resource {plugin} {version} --file pulumi-resource-{plugin}-v{version}-linux-amd64"
            assert line in page
