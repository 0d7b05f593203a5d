# SPDX-License-Identifier: MIT
"""Role `host` finds a host in disorder, or changes its packet filter under running containers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.roles import situations
from tests.roles.authority import Authority
from tests.roles.box import Box
from tests.roles.probe import Container, connects

pytestmark = pytest.mark.needs_root

Variables = dict[str, Any]


@pytest.fixture(scope="module")
def variables(box: Box, authority: Authority, stranger: Authority) -> Variables:
    variables = situations.host(box, authority, stranger, "")["default"]
    box.converge("host", "default", variables, run="again")
    return variables


def test_check_mode_changes_and_announces_nothing(box: Box, variables: Variables) -> None:
    assert box.converge("host", "default", variables, run="check", arguments=["--check"]).changed == ()


def test_a_tampered_host_is_repaired_in_one_run(box: Box, variables: Variables) -> None:
    box.succeed(
        "echo 'PasswordAuthentication yes' > /etc/ssh/sshd_config.d/00-suite.conf; systemctl reload ssh;"
        "chmod 0666 /etc/suite/firewall.nft; nft delete table inet suite; systemctl unmask nftables.service;"
        "rm /usr/local/share/ca-certificates/suite-ca.crt; update-ca-certificates --fresh >/dev/null 2>&1;"
        "apt-get -qq purge catatonit >/dev/null"
    )
    assert box.converge("host", "default", variables, run="repair").changed
    assert "passwordauthentication no" in box.succeed("sshd -T")
    assert box.host.file("/etc/suite/firewall.nft").mode == 0o600
    assert "policy drop" in box.succeed("nft list chain inet suite input")
    assert box.succeed("systemctl is-enabled nftables.service || true") == "masked"
    assert box.succeed("ls /etc/ssl/certs/suite-ca.pem")
    assert box.host.package("catatonit").is_installed


def test_settings_that_an_interrupted_run_left_unread_are_taken_over(box: Box, variables: Variables) -> None:
    box.succeed("touch /etc/ssh/sshd_config.d/00-suite.conf /etc/suite/ca.crt; sleep 1.1")
    changed = box.converge("host", "default", variables, run="resumed").changed
    assert {name.removeprefix("host : ") for name in changed} == {
        "Compare the age of sshd's settings with that of sshd",
        "Compare the trust store with its certificates",
        "Reload sshd",
        "Rebuild the trust store",
    }


def test_replacing_the_filter_leaves_other_tables_and_connections_alone(box: Box, variables: Variables) -> None:
    container = Container.start(box, "alpha", situations.ALPHA, published=(f"{box.address}:20020:8000",))
    try:
        before = box.succeed("nft --stateless list table inet netavark")
        one_more = {"proto": "tcp", "ports": [9999], "sources": "any", "comment": "one more"}
        changed = variables | {"host_firewall_input": [*variables["host_firewall_input"], one_more]}
        assert "host : Replace the packet filter" in box.converge("host", "default", changed, run="changed").changed
        assert 'dport 9999 accept comment "one more"' in box.succeed("nft list chain inet suite input")
        assert box.succeed("nft --stateless list table inet netavark") == before
        assert connects(box.address, 20020)
    finally:
        container.remove()
