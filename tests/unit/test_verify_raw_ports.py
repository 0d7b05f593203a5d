# SPDX-License-Identifier: MIT
"""Ports that a component opens on the host itself: which must listen, which may, and which nobody outside may reach."""

from __future__ import annotations

import ipaddress

import pytest

from suite_deploy.model.deployment import Deployment
from suite_deploy.model.outputs import HostOutput
from suite_deploy.verify import expected
from suite_deploy.verify.parsers import Socket
from tests.contract.support import deployment_of

EVERYWHERE = str(ipaddress.IPv4Address(0))
HOST = HostOutput("all", "10.20.0.10", "10.20.0.10", ("edge", "apps", "data", "media"))
NETWORKS = expected.Networks((ipaddress.IPv4Network("10.20.0.0/24"),), ipaddress.IPv4Network("10.89.0.0/16"))


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """With a media server on the host's network."""
    return deployment_of(tmp_path_factory.mktemp("media"), {"synapse": {}, "lk-jwt": {}})


def media(deployment: Deployment) -> dict[tuple[str, int], expected.Endpoint]:
    found = expected.endpoints(deployment, HOST)
    return {(item.proto, item.ports[0]): item for item in found if item.purpose == "livekit-rtc server"}


def test_every_port_of_the_media_server_is_declared(deployment: Deployment) -> None:
    wanted = {("tcp", 7890), ("tcp", 7891), ("udp", 7892), ("udp", 3479), ("tcp", 5350), ("udp", 31000)}
    assert media(deployment).keys() == wanted


def test_port_behind_the_firewall_may_listen_on_every_address_and_others_not(deployment: Deployment) -> None:
    declared = expected.endpoints(deployment, HOST)
    turn, api = Socket("tcp", EVERYWHERE, 5350, "livekit"), Socket("tcp", EVERYWHERE, 7890, "livekit")
    assert expected.undeclared([turn], declared, NETWORKS) == []
    (said,) = expected.undeclared([api], declared, NETWORKS)
    assert "where only tcp 7890 on private" in said
    assert expected.undeclared([Socket("tcp", "10.20.0.10", 7890, "livekit")], declared, NETWORKS) == []


def test_ports_taken_on_demand_need_not_listen(deployment: Deployment) -> None:
    silent = expected.silent([], expected.endpoints(deployment, HOST))
    assert "udp 3479 on any (livekit-rtc server)" in silent
    assert not [said for said in silent if "31000" in said]


def test_what_only_edge_may_reach_is_tried_from_outside(deployment: Deployment) -> None:
    closed = expected.closed_ports(deployment, HOST)
    assert {7890, 5350} <= closed.keys()
    assert not {7891, 443} & closed.keys()
