# SPDX-License-Identifier: MIT
"""What the program for OpenStack says when the inventory and the cloud do not fit; nothing is registered then."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest

from stacks.openstack import catalogue, image
from suite_deploy.errors import CouldNotRun
from tests.stacks.conftest import MakeInventory
from tests.stacks.openstack_mocks import Cloud
from tests.stacks.support import project_of, run_program

Refused = Callable[[dict[str, Any]], str]


@pytest.fixture
def refused(make_inventory: MakeInventory, monkeypatch: pytest.MonkeyPatch) -> Refused:
    """Runs the program, which must stop before it makes anything; what it says."""
    monkeypatch.setattr(catalogue, "names", lambda what, deployment: f"There is: some {what}.")

    def start(changes: dict[str, Any], name: str = "example-openstack-accepted") -> str:
        folder, cloud = make_inventory(name, changes), Watched()
        with pytest.raises(pulumi.RunError) as error:
            run_program(project_of("openstack"), cloud, stack="x", environment={"SUITE_DEPLOY_INVENTORY": str(folder)})
        assert cloud.made == []
        return str(error.value).replace(str(folder), "INVENTORY")

    return start


class Watched(Cloud):
    """made: what would have been created on the cloud."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[str] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        if args.typ.startswith("openstack:"):
            self.made.append(args.name)
        return super().new_resource(args)


def test_an_unknown_flavor_is_answered_with_those_there_are(refused: Refused) -> None:
    said = refused({"infrastructure.hosts.app-1.flavor": "b3-17"})
    assert "infrastructure.hosts.app-1.flavor: flavor 'b3-17' is not known there." in said
    assert "There is: some flavor." in said and "INVENTORY/suite.yml:" in said


def test_an_unknown_external_network_is_answered_with_those_there_are(refused: Refused) -> None:
    said = refused({"infrastructure.external_network": "Ext-Netz"})
    assert "infrastructure.external_network: external network 'Ext-Netz' is not known there." in said
    assert "There is: some external network." in said


def test_an_unknown_image_is_answered_with_those_there_are(refused: Refused) -> None:
    said = refused({"infrastructure.image": {"name": "Debian 14", "sha256": "a" * 64}})
    assert "image 'Debian 14' is not known there." in said and "There is: some image." in said


def test_every_wrong_name_is_said_at_once(refused: Refused) -> None:
    said = refused({"infrastructure.hosts.app-1.flavor": "b3-17", "infrastructure.external_network": "Ext-Netz"})
    assert "b3-17" in said and "Ext-Netz" in said


def test_an_image_with_another_checksum_is_refused_with_its_id(refused: Refused) -> None:
    said = refused({"infrastructure.image": {"name": "Debian 13", "sha512": "b" * 128}})
    assert f"has sha512 {'a' * 128}, not the written one." in said and "Pin it as it is now" in said


def test_a_missing_flavor_names_the_host(refused: Refused) -> None:
    assert "infrastructure.hosts.data-1.flavor: is missing." in refused({"infrastructure.hosts.data-1.flavor": None})


def test_a_missing_public_key_says_how_to_make_one(refused: Refused) -> None:
    said = refused({"ssh.key": "/nonexistent/id_ed25519"})
    assert "/nonexistent/id_ed25519.pub cannot be read" in said and "ssh-keygen" in said


def test_container_networks_may_not_overlap_the_hosts(refused: Refused) -> None:
    assert "overlaps the hosts' private network" in refused({"network": {"containers": "10.64.0.0/16"}})


def test_the_policies_are_asked_before_the_cloud(refused: Refused) -> None:
    assert "REG-001" in refused({"infrastructure.region": "UK1"})


def test_an_inventory_of_another_driver_is_refused(make_inventory: MakeInventory) -> None:
    folder = make_inventory("example-ovh-accepted")
    with pytest.raises(pulumi.RunError, match="driver is ovh"):
        run_program(project_of("openstack"), Cloud(), stack="x", environment={"SUITE_DEPLOY_INVENTORY": str(folder)})


def test_no_inventory_at_all_is_said_with_both_ways_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUITE_DEPLOY_INVENTORY", raising=False)
    with pytest.raises(pulumi.RunError, match="SUITE_DEPLOY_INVENTORY.*pulumi config set suite:inventory"):
        run_program(project_of("openstack"), Cloud(), stack="x", environment={})


def test_refused_credentials_are_no_wrong_name(make_inventory: MakeInventory) -> None:
    class Closed(Cloud):
        def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
            return {}, [("auth", "Authentication failed")]

    folder = make_inventory("example-openstack-accepted")
    with pytest.raises(pulumi.RunError, match="(?s)Authentication failed.*Check credentials"):
        run_program(project_of("openstack"), Closed(), stack="x", environment={"SUITE_DEPLOY_INVENTORY": str(folder)})


def test_what_there_is_cannot_hide_the_error_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(deployment: Any) -> Any:
        raise OSError("no route to host")

    monkeypatch.setattr(catalogue, "_connection", unreachable)
    deployment: Any = None
    assert catalogue.names("flavor", deployment) == "What there is could not be listed: no route to host"


def test_a_downloaded_image_is_checked_before_anything_is_uploaded(tmp_path: Path) -> None:
    kept = tmp_path / hashlib.sha256(b"image").hexdigest()
    kept.write_bytes(b"image")
    assert image.fetched("https://images.invalid/x.qcow2", kept.name, tmp_path) == kept
    kept.write_bytes(b"altered")
    with pytest.raises(CouldNotRun, match="cannot be fetched"):
        image.fetched("https://images.invalid/x.qcow2", kept.name, tmp_path)
