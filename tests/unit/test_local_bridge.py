# SPDX-License-Identifier: MIT
"""Networks of local suites: free, kept, and never anybody else's."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from stacks.local import bridge
from suite_deploy.errors import CouldNotRun


def test_a_suite_tends_to_get_the_same_network() -> None:
    assert bridge.choose_subnet("demo", []) == bridge.choose_subnet("demo", [])
    assert bridge.choose_subnet("demo", []) != bridge.choose_subnet("other", [])


def test_a_network_in_use_is_passed_over() -> None:
    first = bridge.choose_subnet("demo", [])
    second = bridge.choose_subnet("demo", [first])
    assert not second.overlaps(first)
    inside = IPv4Network((first.network_address + 128, 25))
    assert not bridge.choose_subnet("demo", [inside]).overlaps(first), "a part of it in use is in use"


def test_a_vpn_over_the_whole_first_pool_leads_to_the_next() -> None:
    assert bridge.choose_subnet("demo", [IPv4Network("10.0.0.0/8")]).subnet_of(bridge.POOLS[1])


def test_no_free_network_is_said() -> None:
    with pytest.raises(CouldNotRun, match="no private /24 is free"):
        bridge.choose_subnet("demo", bridge.POOLS)


def test_no_pool_touches_the_containers_networks() -> None:
    assert not any(pool.overlaps(IPv4Network("10.89.0.0/16")) for pool in bridge.POOLS)


@pytest.mark.parametrize(
    "suite", ["a", "demo", "twelve-chars", "a-very-long-name-of-a-suite", "a-very-long-name-of-a-suite2"]
)
def test_interface_names_fit_the_kernel(suite: str) -> None:
    assert len(bridge.bridge_name(suite)) <= 15


def test_long_names_with_the_same_beginning_differ() -> None:
    assert bridge.bridge_name("region-centre-1") != bridge.bridge_name("region-centre-2")


def test_addresses_stay_when_hosts_come_and_go() -> None:
    subnet = IPv4Network("10.231.9.0/24")
    two = bridge.allot({}, subnet, ["edge", "data"])
    assert two == {"edge": IPv4Address("10.231.9.10"), "data": IPv4Address("10.231.9.11")}
    three = bridge.allot(two, subnet, ["media", "data", "edge"])
    assert {name: three[name] for name in two} == two
    assert three["media"] == IPv4Address("10.231.9.12")
    assert bridge.allot(three, subnet, ["data", "new"])["new"] == IPv4Address("10.231.9.10"), "a freed one is reused"


def test_more_hosts_than_addresses_is_said() -> None:
    with pytest.raises(CouldNotRun, match="no address left"):
        bridge.allot({}, IPv4Network("10.231.9.0/24"), [f"h{number}" for number in range(250)])


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What `ip route` says, to be filled by the test."""
    listed: list[dict[str, str]] = [{"dst": "default", "dev": "eth0"}, {"dst": "192.168.1.0/24", "dev": "eth0"}]

    def run(argv: list[str], **_: object) -> object:
        assert argv[:3] == ["ip", "-j", "-4"]
        return type("Result", (), {"stdout": json.dumps(listed)})

    monkeypatch.setattr(bridge, "run", run)
    return listed


def test_the_recorded_network_is_kept_while_it_is_up(tmp_path: Path, routes: list[dict[str, str]]) -> None:
    record = tmp_path / "demo" / "network.json"
    record.parent.mkdir()
    first = bridge.plan("demo", record, ["one"])
    record.write_text(first.to_json())
    routes.append({"dst": str(first.subnet), "dev": first.bridge})
    routes.append({"dst": str(first.subnet), "type": "blackhole"})
    assert bridge.plan("demo", record, ["one"]) == first


def test_a_recorded_network_that_somebody_else_uses_now_is_said(tmp_path: Path, routes: list[dict[str, str]]) -> None:
    record = tmp_path / "demo" / "network.json"
    record.parent.mkdir()
    first = bridge.plan("demo", record, ["one"])
    record.write_text(first.to_json())
    routes.append({"dst": "10.231.0.0/16", "dev": "tun0"})
    routes.append({"dst": "172.29.0.0/16", "dev": "tun0"})
    with pytest.raises(CouldNotRun, match="destroy demo --with-data"):
        bridge.plan("demo", record, ["one"])


def test_suites_that_are_down_keep_their_network(tmp_path: Path, routes: list[dict[str, str]]) -> None:
    taken = bridge.choose_subnet("demo", [])
    other = tmp_path / "other" / "network.json"
    other.parent.mkdir()
    other.write_text(bridge.Network("sd-other", taken, {}).to_json())
    (tmp_path / "demo").mkdir()
    assert bridge.plan("demo", tmp_path / "demo" / "network.json", ["one"]).subnet != taken


@pytest.mark.parametrize("damaged", ["", "{", "[]", '{"bridge": "x"}', '{"bridge": "x", "subnet": "y", "hosts": {}}'])
def test_a_damaged_record_is_made_anew(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "network.json").write_text(damaged)
    assert bridge.read(tmp_path / "network.json") is None
