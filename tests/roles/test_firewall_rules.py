# SPDX-License-Identifier: MIT
"""The packet filter's rules as the role writes them; what they do is tested on a host in test_host.py."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.roles.box import Box, run_playbook

Variables = dict[str, Any]
NOTHING: Variables = {"suite_container_subnets": {}}
MUCH: Variables = {
    "suite_container_subnets": {"alpha": "10.89.1.0/24", "beta": "10.89.2.0/24"},
    "host_ssh_port": 2222,
    "host_ssh_sources": ["10.0.0.0/24", "2001:db8::/32"],
    "host_firewall_input": [
        {
            "proto": "tcp",
            "ports": [80, "443", "8000-8010"],
            "sources": "any",
            "comment": 'say "hi"; } flush ruleset\n$x',
        },
        # one network within another, and one twice
        {"proto": "udp", "ports": [3478], "sources": ["10.0.0.0/8", "10.0.0.0/24", "10.0.0.0/24", "2001:db8::1"]},
    ],
    "host_firewall_forward": [
        {"source": "10.89.1.0/24", "destination": "10.0.0.9", "proto": "tcp", "ports": [5432], "comment": "é" * 300},
    ],
    "host_firewall_published": [{"destination_ports": ["20000-20019"], "proto": "tcp", "sources": ["10.0.0.0/24"]}],
    "host_firewall_output": [
        {
            "first_uid": 1327680,
            "last_uid": 1393215,
            "udp_source_ports": ["7882", "30000-30099"],
            "destinations": ["10.0.0.2/32"],
            "comment": "media",
        }
    ],
}


def render(variables: Variables, scratch: Path) -> str:
    target, given = scratch / "firewall.nft", scratch / "variables.json"
    given.write_text(json.dumps(variables | {"destination": str(target)}))
    done = run_playbook("render-firewall.yml", "localhost,", given, scratch)
    assert done.returncode == 0, done.stdout + done.stderr
    return target.read_text()


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> str:
    return render(NOTHING, tmp_path_factory.mktemp("nothing"))


@pytest.fixture(scope="module")
def much(tmp_path_factory: pytest.TempPathFactory) -> str:
    return render(MUCH, tmp_path_factory.mktemp("much"))


@pytest.fixture(params=["nothing", "much"])
def rules(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(request.param)


def lines(rules: str, chain: str) -> list[str]:
    body = re.search(rf"chain {chain} {{\n(.*?)\n  }}", rules, re.DOTALL)
    assert body, f"no chain {chain}"
    return [line.strip() for line in body.group(1).splitlines()]


def test_one_transaction_replaces_our_table_and_touches_no_other(rules: str) -> None:
    statements = [line for line in rules.splitlines() if re.match(r"[a-z]", line)]
    assert statements == ["table inet suite", "delete table inet suite", "table inet suite {"]
    assert not re.search(r"^\s*(flush|include|delete chain)", rules, re.MULTILINE)


def test_what_no_rule_accepts_is_dropped(rules: str) -> None:
    for chain in ("input", "forward"):
        first, *_, last = lines(rules, chain)
        assert first == f"type filter hook {chain} priority filter; policy drop;"
        assert last.startswith("counter")


def test_nothing_is_accepted_that_nobody_declared(nothing: str) -> None:
    assert lines(nothing, "forward")[1:-1] == ["ct state established,related accept", "ct state invalid drop"]
    opened = [line for line in lines(nothing, "input") if "dport" in line]
    assert opened == [
        'meta nfproto ipv4 udp sport 67 udp dport 68 accept comment "DHCP answers"',
        'ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept comment "DHCPv6 answers"',
        'tcp dport 22 accept comment "ssh"',
    ]


def test_declared_rules_are_written_for_each_source(much: str) -> None:
    into, through = "\n".join(lines(much, "input")), "\n".join(lines(much, "forward"))
    assert 'ip saddr 10.0.0.0/24 tcp dport 2222 accept comment "ssh"' in into
    assert 'ip6 saddr 2001:db8::/32 tcp dport 2222 accept comment "ssh"' in into
    assert "tcp dport { 80, 443, 8000-8010 } accept" in into
    assert into.count("ip saddr 10.0.0.0/24 udp dport { 3478 } accept") == 1
    assert "ip6 saddr 2001:db8::1 udp dport { 3478 } accept" in into
    assert "ip saddr 10.89.1.0/24 ip daddr 10.0.0.9 tcp dport { 5432 } accept" in through
    published = "ct status dnat meta l4proto tcp ct original proto-dst { 20000-20019 } accept"
    assert f"ip saddr 10.0.0.0/24 {published}" in through


def test_containers_on_the_hosts_network_send_only_what_is_declared(much: str, nothing: str) -> None:
    uids = "meta skuid 1327680-1393215"
    lines = [line.strip() for line in much.splitlines() if uids in line]
    assert lines == [
        f"{uids} ct state established,related accept",
        f'{uids} oifname "lo" accept',
        f'{uids} udp sport {{ 7882, 30000-30099 }} accept comment "media"',
        f'{uids} ip daddr 10.0.0.2/32 tcp dport 443 accept comment "media"',
        f'{uids} counter drop comment "refused"',
    ]
    assert "skuid" not in nothing


def test_comments_cannot_break_out(rules: str) -> None:
    for line in rules.splitlines():
        assert line.count('"') in (0, 2)
    assert "flush ruleset\n" not in rules


def test_each_set_of_rules_carries_its_own_mark(nothing: str, much: str) -> None:
    marks = [re.findall(r'^  comment "rules ([0-9a-f]{64})"$', text, re.MULTILINE) for text in (nothing, much)]
    assert [len(found) for found in marks] == [1, 1]
    assert marks[0] != marks[1]


@pytest.mark.needs_root
def test_nft_accepts_the_rules(box: Box, rules: str) -> None:
    box.succeed("nft --check --file - <<'RULES'\n" + rules + "RULES")
