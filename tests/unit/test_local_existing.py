# SPDX-License-Identifier: MIT
"""Hosts that exist already are described as they are, and nothing about them is made or removed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stacks.existing import ExistingDriver, HostGiven
from stacks.local import HostWanted, LocalDriver
from suite_deploy.errors import CouldNotRun

HOSTS = (
    HostGiven("app-1", "203.0.113.5", ("edge", "apps"), private_address="10.0.0.5"),
    HostGiven("data-1", "203.0.113.6", ("data",)),
)


def driver(**settings: Any) -> ExistingDriver:
    names = {"chat.x.example": "app-1"}
    return ExistingDriver(suite="region", hosts=HOSTS, names=names, state_dir=Path("/nowhere"), **settings)


def test_hosts_are_reached_as_the_inventory_says() -> None:
    outputs = driver(ssh_user="ops", ssh_port=2222, ssh_key="/keys/ops").outputs()
    assert [(host.ssh_user, host.ssh_port) for host in outputs.hosts] == [("ops", 2222)] * 2
    assert outputs.ssh_private_key == Path("/keys/ops")
    assert [host.private_address for host in outputs.hosts] == ["10.0.0.5", "203.0.113.6"]


def test_users_reach_the_edge_host() -> None:
    assert driver().outputs().dns_records == {"chat.x.example": "203.0.113.5"}


def test_only_the_hosts_own_addresses_are_private() -> None:
    assert driver().outputs().private_networks == ("10.0.0.5/32", "203.0.113.6/32")


def test_destroying_keeps_every_host_and_says_so() -> None:
    said: list[str] = []
    kept = driver().destroy(said.append, with_data=True)
    assert len(kept) == len(HOSTS) and all("left as it is" in line for line in kept)
    assert {item.action for item in driver().preview()} == {"keep"}


def test_names_must_lead_to_hosts_of_the_suite(tmp_path: Path) -> None:
    with pytest.raises(CouldNotRun, match="typo-1"):
        LocalDriver(suite="x", hosts=[HostWanted("one", ("edge",))], names={"a.b": "typo-1"}, state_dir=tmp_path)
