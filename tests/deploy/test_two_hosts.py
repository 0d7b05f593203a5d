# SPDX-License-Identifier: MIT
"""The same suite with its data on another host: the roles are the same code, only the addresses differ."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.product import Ran, Suite, leftovers

pytestmark = [pytest.mark.needs_root, pytest.mark.hosts]

SUITE = Suite("two")


@pytest.fixture(scope="module")
def first() -> Iterator[Ran]:
    with SUITE.life():
        SUITE.pin_doubles()
        yield SUITE.run("up", "--format", "json")


@pytest.fixture(scope="module")
def suite(first: Ran) -> Suite:
    assert first.code == 0, first.said()
    return SUITE


def test_two_hosts_come_up_and_are_verified(suite: Suite, first: Ran) -> None:
    assert {host["name"]: set(host["groups"]) for host in first.json["hosts"]} == {
        "front": {"edge", "apps", "media"},
        "back": {"data"},
    }
    assert first.json["skipped"] == [] and first.json["verification"]["failed"] == 0


def test_the_second_up_changes_nothing_on_either_host(suite: Suite) -> None:
    ran = suite.run("up", "--format", "json")
    assert ran.code == 0, ran.said()
    assert ran.json["changed_tasks"] == {}


def test_data_is_where_it_belongs(suite: Suite) -> None:
    assert "postgres" in suite.ssh("back", "ps -eo user,comm")
    assert "postgres" not in suite.ssh("front", "ps -eo user,comm")
    assert "nginx" not in suite.ssh("back", "ps -eo comm")


def test_only_declared_ways_lead_to_the_data_host(suite: Suite) -> None:
    """From the front host itself and from a container: the database answers, everything else is silent."""
    probe = "timeout 3 bash -c '</dev/tcp/postgresql.{0}/{1}' 2>/dev/null && echo open || echo closed\n"
    answers = suite.ssh("front", "".join(probe.format(suite.domain, port) for port in (5432, 6402, 111, 8080))).split()
    assert answers == ["open", "open", "closed", "closed"]


def test_destroy_with_data_leaves_nothing(suite: Suite) -> None:
    ran = suite.destroy("--with-data")
    assert ran.code == 0, ran.said()
    assert leftovers(suite.name) == []
