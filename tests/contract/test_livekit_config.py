# SPDX-License-Identifier: MIT
"""LiveKit's rendered configuration: only keys that upstream reads, no port twice, no STUN server of anybody else."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from suite_deploy.model.deployment import Component, Deployment
from suite_deploy.render.render import render
from suite_deploy.render.tree import RenderedTree
from suite_deploy.render.vocabulary import Addresses
from tests.contract.support import deployment_of, dotted, heading, known, unknown, with_options

KEYS = "livekit-keys.txt"
BOTH = {"synapse": {}, "lk-jwt": {}, "meet": {}}
THREE_HOSTS = {
    "driver": "existing",
    "hosts": {
        "front": {"groups": ["edge"], "address": "203.0.113.10", "private_address": "10.1.0.10"},
        "work": {"groups": ["apps", "data"], "address": "10.1.0.11", "private_address": "10.1.0.11"},
        "calls": {"groups": ["media"], "address": "203.0.113.12", "private_address": "10.1.0.12"},
    },
}


def component_slugs() -> set[str]:
    from suite_deploy.model.components import slugs

    return set(slugs())


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """As many copies as there are needs."""
    wanted = {slug: options for slug, options in BOTH.items() if slug in component_slugs()}
    return deployment_of(tmp_path_factory.mktemp("media"), wanted)


@pytest.fixture(scope="module")
def tree(deployment: Deployment) -> RenderedTree:
    return render(deployment)


def copies(deployment: Deployment) -> list[Component]:
    return [item for item in deployment.ordered if "livekit" in item.description.provides]


def configuration(tree: RenderedTree, slug: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(tree.config_files(slug)["livekit.yaml"])
    return found


def span(ports: str | int) -> set[int]:
    first, _, last = str(ports).partition("-")
    return set(range(int(first), int(last or first) + 1))


def test_every_key_is_one_that_upstream_reads(deployment: Deployment, tree: RenderedTree) -> None:
    assert copies(deployment)
    for item in copies(deployment):
        assert not unknown(dotted(configuration(tree, item.slug)), known(KEYS)), item.slug


def test_list_of_keys_is_of_the_version_deployed(deployment: Deployment) -> None:
    version = copies(deployment)[0].description.images["server"].tag.removeprefix("v")
    assert f"LiveKit {version} reads" in heading(KEYS), f"read the keys of {version} anew into {KEYS}"


def test_no_two_copies_share_a_port() -> None:
    """Whether both are wanted or not: the second one is added later to a host where the first one runs."""
    from suite_deploy.model.components import describe

    description = describe("livekit")
    used: dict[str, set[int]] = {}
    for slug, instance in description.instances.items():
        for name, ports in {**description.ports, **instance.ports}.items():
            used[f"{slug} {name}"] = span(ports)
    assert len(used) == 2 * len(description.ports)
    for (one, mine), (other, theirs) in combinations(used.items(), 2):
        assert not mine & theirs, f"{one} and {other} both use {sorted(mine & theirs)[:3]}"


def test_no_port_is_one_that_something_else_on_a_host_uses() -> None:
    from suite_deploy.model.components import describe
    from suite_deploy.model.deployment import LOOPBACK_PORT_BASE, LOOPBACK_PORTS_PER_COMPONENT, VALKEY_PORT_BASE

    description = describe("livekit")
    others = {22, 80, 443, 5432, *range(VALKEY_PORT_BASE, VALKEY_PORT_BASE + 200)}
    others |= set(range(LOOPBACK_PORT_BASE, LOOPBACK_PORT_BASE + 200 * LOOPBACK_PORTS_PER_COMPONENT))
    # ports the kernel gives to clients: one of them may be taken when the server starts
    others |= set(range(32768, 61000))
    for slug, instance in description.instances.items():
        for name, ports in {**description.ports, **instance.ports}.items():
            assert not span(ports) & others, f"{slug} {name}: {ports}"


def test_what_the_server_listens_on_is_what_the_firewall_opens(deployment: Deployment, tree: RenderedTree) -> None:
    for item in copies(deployment):
        found = configuration(tree, item.slug)
        listening = {
            ("tcp", str(found["rtc"]["tcp_port"])),
            ("udp", str(found["rtc"]["udp_port"])),
            ("udp", str(found["turn"]["udp_port"])),
            ("tcp", str(found["turn"]["tls_port"])),
            ("udp", f"{found['turn']['relay_range_start']}-{found['turn']['relay_range_end']}"),
        }
        declared = {(rule.proto, rule.ports) for rule in item.description.services["server"].listen}
        assert listening == declared, item.slug
        assert found["port"] == item.description.services["server"].port


def test_people_reach_media_and_only_edge_the_rest(deployment: Deployment) -> None:
    for item in copies(deployment):
        closed = {rule.ports for rule in item.description.services["server"].listen if not rule.public}
        assert closed == {str(item.description.ports["turn_tls"])}


def test_nobody_else_learns_of_a_call(deployment: Deployment, tree: RenderedTree) -> None:
    for item in copies(deployment):
        found = configuration(tree, item.slug)
        assert found["rtc"]["use_external_ip"] is False and found["rtc"]["node_ip"]
        # LiveKit adds third-party STUN servers unless TURN over UDP or a STUN server is set
        assert found["turn"]["enabled"] and found["turn"]["udp_port"] > 0
        assert found["rtc"]["stun_servers"] == [f"{found['rtc']['node_ip']}:{found['turn']['udp_port']}"]
        assert found["rtc"]["turn_servers"] == []


def test_turn_answers_at_its_name_on_443(deployment: Deployment, tree: RenderedTree) -> None:
    edge = tree.host_vars[deployment.host_of("edge").name]["edge_tls_names"]
    for item in copies(deployment):
        turn = configuration(tree, item.slug)["turn"]
        assert turn["external_tls"] and "cert_file" not in turn
        (entry,) = [entry for entry in edge if entry["name"] == turn["domain"]]
        assert entry["upstream"].endswith(f":{turn['tls_port']}")


def test_relaying_leads_to_the_server_and_nowhere_else_inside(deployment: Deployment, tree: RenderedTree) -> None:
    for item in copies(deployment):
        allowed = configuration(tree, item.slug)["turn"]["allow_restricted_peer_cidrs"]
        assert allowed and all(network.endswith("/32") for network in allowed), allowed


def test_key_pairs_are_apart(deployment: Deployment, tree: RenderedTree) -> None:
    """Meet's key opens no room of Matrix."""
    keys = {item.slug: tree.config_files(item.slug)["keys.yaml"] for item in copies(deployment)}
    assert len(set(keys.values())) == len(keys)
    for slug, text in keys.items():
        assert yaml.safe_load(text) == {slug: f"@secret:{slug}.api_secret@"}
        assert "@secret:" not in tree.config_files(slug)["livekit.yaml"], "preview shows this file"


def test_rooms_are_made_by_whom_they_should_be(deployment: Deployment, tree: RenderedTree) -> None:
    made = {item.slug: configuration(tree, item.slug)["room"]["auto_create"] for item in copies(deployment)}
    assert made["livekit-rtc"] is False, "anybody with a token of MatrixRTC could open rooms"
    assert made.get("livekit", True) is True, "Meet's tokens join rooms that nobody made before"


def test_webhooks_go_to_whoever_asked(deployment: Deployment, tree: RenderedTree) -> None:
    for item in copies(deployment):
        found, users = configuration(tree, item.slug), deployment.consumers_of(item)
        wanted = [f"{user.url}{need.webhook}" for user in users if (need := user.description.needs.livekit)]
        assert found["webhook"] == {"api_key": item.slug, "urls": wanted}, item.slug


def test_addresses_are_those_of_the_media_host(tmp_path: Path) -> None:
    there = deployment_of(tmp_path, {"synapse": {}, "lk-jwt": {}}, infrastructure=THREE_HOSTS)
    private = {host.name: host.private_address or "" for host in there.hosts}
    public = {host.name: host.address or "" for host in there.hosts}
    found = configuration(render(there, Addresses(private, public["front"], public)), "livekit-rtc")
    assert found["rtc"]["node_ip"] == "203.0.113.12"
    assert found["bind_addresses"] == ["127.0.0.1", "10.1.0.12"], "signalling is for edge"
    assert set(found["rtc"]["ips"]["includes"]) == {"203.0.113.12/32", "10.1.0.12/32"}


def test_option_lands_where_it_belongs(deployment: Deployment) -> None:
    changed = with_options(deployment, "livekit-rtc", max_participants=7)
    assert configuration(render(changed), "livekit-rtc")["room"]["max_participants"] == 7


def test_only_joining_and_the_room_api_are_open(deployment: Deployment) -> None:
    for item in copies(deployment):
        opened = {route.path for route in item.description.routes if route.to}
        assert opened == {"/rtc", "/twirp/livekit.RoomService/"}
        assert any(route.path == "/" and route.deny for route in item.description.routes)
