# SPDX-License-Identifier: MIT
"""Who may reach which host: what the components declare, and never more than the host's own packet filter lets in."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from stacks.components import rules
from stacks.components.rules import EVERYONE, Inbound, Outbound, inbound_rules, outbound_rules
from suite_deploy.model.deployment import Deployment
from suite_deploy.model.loader import load
from suite_deploy.render.hostvars import host_vars
from suite_deploy.render.tree import RenderedTree
from suite_deploy.render.vocabulary import Addresses
from tests.stacks.conftest import MakeInventory

THREE = {
    "infrastructure.hosts": {
        "edge-1": {"flavor": "b3-8", "groups": ["edge"]},
        "app-1": {"flavor": "b3-16", "groups": ["apps"]},
        "data-1": {"flavor": "b3-32", "groups": ["data"], "volumes": {"postgresql": "100GiB"}},
        "media-1": {"flavor": "b3-8", "groups": ["media"], "public": True},
    },
    "components": {"keycloak": {}, "synapse": {}, "meet": {}},
    "profile": "dev",
    "data": None,
    "infrastructure.object_store": {"endpoint": "https://s3.region-x.snc.example", "region": "eu-west-sbg-snc"},
}


@pytest.fixture
def deployment(make_inventory: MakeInventory) -> Deployment:
    return load(str(make_inventory("example-openstack-accepted", THREE)))


def test_a_host_of_applications_is_reached_by_edge_alone(deployment: Deployment) -> None:
    found = inbound_rules(deployment)["app-1"]
    assert found and {(rule.host, rule.network) for rule in found} == {("edge-1", "")}


def test_data_is_reached_by_the_hosts_whose_components_need_it(deployment: Deployment) -> None:
    found = inbound_rules(deployment)["data-1"]
    assert Inbound("tcp", 5432, 5432, host="app-1") in found
    assert {rule.host for rule in found if rule.first != 22} == {"app-1"}
    assert not [rule for rule in found if rule.network]


def test_media_is_public_where_its_component_says_so_and_only_there(deployment: Deployment) -> None:
    media = [component for component in deployment.components.values() if component.host == "media-1"]
    declared = {
        (listen.proto, str(listen.ports))
        for component in media
        for service in component.description.services.values()
        for listen in service.listen
        if listen.public
    }
    found = inbound_rules(deployment)["media-1"]
    assert declared
    assert {(rule.proto, rule.ports) for rule in found if rule.network == EVERYONE} == declared


def test_ssh_comes_from_the_declared_networks_or_through_edge(deployment: Deployment) -> None:
    found = inbound_rules(deployment)
    ways = {name: {(rule.network, rule.host) for rule in each if rule.first == 22} for name, each in found.items()}
    assert ways == {
        "edge-1": {("192.0.2.0/24", "")},
        "media-1": {("192.0.2.0/24", "")},
        "app-1": {("", "edge-1")},
        "data-1": {("", "edge-1")},
    }


def test_everyone_is_let_in_by_ssh_only_where_nothing_was_declared(make_inventory: MakeInventory) -> None:
    folder = make_inventory("example-openstack-accepted", {"ssh.from": None, "profile": "dev"})
    found = inbound_rules(load(str(folder)))["app-1"]
    assert {rule.network for rule in found if rule.first == 22} == {EVERYONE}


def test_another_port_of_ssh_is_opened_instead(make_inventory: MakeInventory) -> None:
    folder = make_inventory("example-openstack-accepted", {"ssh.port": 2222})
    for found in inbound_rules(load(str(folder))).values():
        ports = {rule.first for rule in found}
        assert 2222 in ports and 22 not in ports


def test_containers_on_the_host_itself_need_no_rule_of_the_cloud(make_inventory: MakeInventory) -> None:
    one = {"infrastructure.hosts": {"all-1": {"flavor": "b3-16", "groups": ["edge", "apps", "data", "media"]}}}
    deployment = load(str(make_inventory("example-openstack-accepted", one)))
    (found,) = inbound_rules(deployment).values()
    assert {rule.first for rule in found} == {22, 80, 443}


def test_no_rule_is_wider_than_the_hosts_own_packet_filter(deployment: Deployment) -> None:
    places = Addresses.unknown(deployment)
    for host in deployment.hosts:
        variables = host_vars(deployment, RenderedTree((), ()), host, places)
        allowed = {
            (rule["proto"], str(port), source)
            for rule in variables["host_firewall_input"]
            for port in rule["ports"]
            for source in ([rule["sources"]] if isinstance(rule["sources"], str) else rule["sources"])
        } | {
            (rule["proto"], str(port), source)
            for rule in variables["host_firewall_published"]
            for port in rule["destination_ports"]
            for source in rule["sources"]
        }
        for rule in inbound_rules(deployment)[host.name]:
            if rule.first == deployment.suite.ssh.port:
                continue
            who = f"{places.private[rule.host]}/32" if rule.host else rule.network.replace(EVERYONE, "any")
            assert (rule.proto, rule.ports, who) in allowed


def test_a_network_that_is_no_host_stays_a_network(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    own = Addresses.unknown(deployment).private["app-1"]
    given = {
        "host_firewall_input": [
            {"proto": "udp", "ports": ["123", "7000-7010"], "sources": ["203.0.113.0/24", "10.89.4.0/24"]},
            {"proto": "udp", "ports": ["7000"], "sources": [f"{own}/32"]},
        ],
        "host_firewall_published": [],
    }
    monkeypatch.setattr(rules, "host_vars", lambda *_: given)
    assert "app-1" not in {rule.host for rule in inbound_rules(deployment)["app-1"]}
    found = [rule for rule in inbound_rules(deployment)["app-1"] if rule.proto == "udp"]
    assert [(rule.first, rule.last, rule.network) for rule in found] == [
        (123, 123, "203.0.113.0/24"),
        (7000, 7010, "203.0.113.0/24"),
    ]
    assert all(IPv4Network(rule.network) for rule in found)


def test_hosts_call_names_time_packages_and_what_the_inventory_writes(make_inventory: MakeInventory) -> None:
    changes = {
        "images.mirror": "registry.region-x.example:5001/copies",
        "apt.mirror": "http://deb.region-x.example:8083/debian",
        "mail.port": 465,
    }
    found = outbound_rules(load(str(make_inventory("example-openstack-accepted", changes))))
    assert {(rule.proto, rule.ports) for rule in found["data-1"]} == {
        *(("tcp", port) for port in ("53", "80", "443", "465", "5001", "8083")),
        *(("udp", port) for port in ("53", "123")),
    }


def test_media_alone_is_sent_to_ports_of_others_choosing(deployment: Deployment) -> None:
    found = outbound_rules(deployment)
    assert [name for name, rules_ in found.items() if Outbound("udp", 1024, 65535) in rules_] == ["media-1"]
