# SPDX-License-Identifier: MIT
"""Role `host` on a real host."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.roles import situations
from tests.roles.authority import Authority
from tests.roles.box import Box
from tests.roles.probe import Container, connects, listening, serving

pytestmark = pytest.mark.needs_root

Variables = dict[str, Any]


@pytest.fixture(scope="module")
def operator_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = tmp_path_factory.mktemp("operator") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "olga", "-f", key], check=True)
    return key


@pytest.fixture(scope="module")
def wanted(box: Box, authority: Authority, stranger: Authority, operator_key: Path) -> dict[str, Variables]:
    return situations.host(box, authority, stranger, operator_key.with_suffix(".pub").read_text().strip())


@pytest.fixture(scope="module", params=situations.SITUATIONS)
def situation(request: pytest.FixtureRequest, box: Box, wanted: dict[str, Variables]) -> str:
    box.converge("host", request.param, wanted[request.param])
    return request.param


@pytest.fixture(scope="module")
def variables(wanted: dict[str, Variables], situation: str) -> Variables:
    return wanted[situation]


def test_a_second_run_changes_nothing(box: Box, situation: str, variables: Variables) -> None:
    assert box.converge("host", situation, variables, run="second").changed == ()


def test_no_unit_failed(box: Box, situation: str) -> None:
    assert box.succeed("systemctl list-units --failed --plain --no-legend") == ""


def test_the_suites_names_and_no_older_ones_resolve(box: Box, situation: str, wanted: dict[str, Variables]) -> None:
    for name, address in wanted[situation]["suite_names"].items():
        assert box.succeed(f"getent hosts {name}").split()[0] == address
    for name in {name for other in wanted.values() for name in other["suite_names"]} - set(
        wanted[situation]["suite_names"]
    ):
        assert box.command(f"getent hosts {name}").returncode != 0, f"{name} still resolves"


def test_certificates_are_trusted_exactly_as_declared(
    box: Box, situation: str, authority: Authority, stranger: Authority, variables: Variables
) -> None:
    def trusted(certificate: str) -> bool:
        return (
            "stdin: OK" in box.command("openssl verify -CApath /etc/ssl/certs <<'PEM'\n" + certificate + "PEM").stdout
        )

    assert trusted(authority.certificate)
    assert trusted(stranger.certificate) == (stranger.certificate in variables.get("host_extra_cas", []))
    assert box.host.file("/etc/suite/ca.crt").content_string.strip() == authority.certificate.strip()
    assert box.host.file("/etc/suite").mode == 0o755


def test_sshd_takes_keys_of_named_people_only(box: Box, situation: str, variables: Variables) -> None:
    effective = dict(line.split(" ", 1) for line in box.succeed("sshd -T").splitlines() if " " in line)
    assert effective["passwordauthentication"] == "no"
    assert effective["kbdinteractiveauthentication"] == "no"
    assert effective["permitrootlogin"] == "no"
    people = ["suite", *(person["name"] for person in variables.get("host_operators", []))]
    allowed = [line.split(" ")[1] for line in box.succeed("sshd -T").splitlines() if line.startswith("allowusers ")]
    assert sorted(allowed) == sorted(people)


def test_the_running_sshd_offers_keys_only(box: Box, situation: str) -> None:
    options = ["-o", "PreferredAuthentications=none", "-o", "BatchMode=yes", "-o", "ControlPath=none"]
    asked = subprocess.run(
        ["ssh", "-F", str(box.ssh_config), *options, box.outputs.hosts[0].name, "true"], capture_output=True, text=True
    )
    assert "Permission denied (publickey)" in asked.stderr


def test_operators_sign_in_with_their_key_and_may_use_sudo(
    box: Box, situation: str, operator_key: Path, variables: Variables
) -> None:
    argv = [
        "ssh",
        "-F",
        str(box.ssh_config),
        "-o",
        "ControlPath=none",
        "-o",
        f"IdentityFile={operator_key}",
        "-l",
        "olga",
    ]
    signed_in = subprocess.run([*argv, box.outputs.hosts[0].name, "sudo", "id", "-u"], capture_output=True, text=True)
    assert (signed_in.stdout.strip() == "0") == bool(variables.get("host_operators"))


def test_automatic_upgrades_come_from_the_security_origin_and_leave_data_services_alone(
    box: Box, situation: str, variables: Variables
) -> None:
    settings = box.succeed("apt-config dump | grep ^Unattended-Upgrade::").splitlines()
    origins = [
        line
        for line in settings
        if line.startswith(("Unattended-Upgrade::Origins-Pattern::", "Unattended-Upgrade::Allowed-Origins::"))
    ]
    assert len(origins) == 1
    assert "label=Debian-Security" in origins[0]
    held = {line.split('"')[1] for line in settings if line.startswith("Unattended-Upgrade::Package-Blacklist::")}
    default = {"postgresql", "libpq", "valkey", "podman", "crun", "conmon", "netavark", "aardvark-dns"}
    assert held == {f"^{name}" for name in variables.get("host_upgrades_held", default)}
    assert 'APT::Periodic::Unattended-Upgrade "1"' in box.succeed("apt-config dump")


def test_the_journal_is_persistent_and_limited(box: Box, situation: str, variables: Variables) -> None:
    effective = box.succeed("systemd-analyze cat-config systemd/journald.conf")
    assert f"SystemMaxUse={variables.get('host_journal_max_use', '1G')}" in effective
    assert box.succeed("ls /var/log/journal")


def test_time_servers_are_the_declared_ones(box: Box, situation: str, variables: Variables) -> None:
    effective = box.succeed("systemd-analyze cat-config systemd/timesyncd.conf")
    servers = " ".join(variables.get("host_ntp_servers", []))
    assert (f"\nNTP={servers}" in effective) == bool(servers)
    assert box.host.service("systemd-timesyncd").is_enabled


def test_names_are_asked_where_declared(box: Box, situation: str, variables: Variables) -> None:
    resolv = box.host.file("/etc/resolv.conf").content_string
    for server in variables.get("host_dns_servers", []):
        assert f"nameserver {server}" in resolv


def test_kernel_parameters_are_set(box: Box, situation: str, variables: Variables) -> None:
    for key, value in {"net.ipv4.ip_nonlocal_bind": 1, **variables.get("host_sysctl", {})}.items():
        assert box.succeed(f"sysctl -n {key}") == str(value)


# --- the packet filter ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def containers(box: Box, situation: str) -> Iterator[dict[str, Container]]:
    box.succeed("test -x /usr/bin/busybox || apt-get -qq install busybox-static >/dev/null 2>&1")
    alpha = Container.start(
        box,
        "alpha",
        situations.ALPHA,
        published=(f"{box.address}:20020:8000", f"{box.address}:20040:8000", "127.0.0.1:20060:8000"),
    )
    beta = Container.start(box, "beta", situations.BETA)
    yield {"alpha": alpha, "beta": beta}
    alpha.remove()
    beta.remove()


def test_only_declared_ports_are_reachable_from_outside(
    box: Box, situation: str, containers: dict[str, Container]
) -> None:
    with serving(box, 443, 6405, 9999):
        assert connects(box.address, 22)
        assert connects(box.address, 443) == (situation == "default")
        assert connects(box.address, 6405)
        assert not connects(box.address, 9999)


def test_containers_reach_what_is_declared_for_their_component_and_nothing_else(
    box: Box, situation: str, containers: dict[str, Container]
) -> None:
    alpha, beta = containers["alpha"], containers["beta"]
    with listening(box.outside, 18080), listening(box.outside, 18081):
        assert alpha.connects(box.outside, 18080) == (situation == "default")
        assert not alpha.connects(box.outside, 18081)
        assert not beta.connects(box.outside, 18080)


def test_containers_reach_their_own_hosts_services_only_from_declared_subnets(
    box: Box, situation: str, containers: dict[str, Container]
) -> None:
    with serving(box, 6405, 9999):
        assert containers["alpha"].connects(box.address, 6405)
        assert not containers["alpha"].connects(box.address, 9999)
        assert not containers["beta"].connects(box.address, 6405)
        for container in containers.values():
            assert not container.connects(box.address, 22), f"{container.name} reaches sshd"


def test_components_do_not_reach_each_other(situation: str, containers: dict[str, Container]) -> None:
    assert containers["alpha"].connects(containers["alpha"].address, 8000)
    assert not containers["alpha"].connects(containers["beta"].address, 8000)
    assert not containers["beta"].connects(containers["alpha"].address, 8000)


def test_published_ports_are_reachable_only_when_declared(
    box: Box, situation: str, containers: dict[str, Container]
) -> None:
    assert connects(box.address, 20020) == (situation == "default")
    assert not connects(box.address, 20040)
    assert box.succeed("busybox wget -q -O /dev/null -T 3 http://127.0.0.1:20060/ 2>&1 | grep -c 404") == "1"


def test_containers_resolve_names_of_their_own_network(
    box: Box, situation: str, containers: dict[str, Container]
) -> None:
    gateway = situations.ALPHA.replace(".0/24", ".1")
    assert containers["alpha"].busybox(f"nslookup -type=a probe-alpha.dns.podman {gateway}")
    assert not containers["beta"].busybox(f"timeout 4 /bin/busybox nslookup -type=a probe-alpha.dns.podman {gateway}")


def test_debians_unit_cannot_flush_the_tables(box: Box, situation: str) -> None:
    assert box.command("systemctl start nftables.service").returncode != 0
    assert "policy drop" in box.succeed("nft list chain inet suite forward")


# --- refusals ------------------------------------------------------------------------------------------------------

MISTAKES: list[tuple[Variables, str]] = [
    ({"suite_names": {"id.suite.example": "not-an-address"}}, "suite_names"),
    ({"suite_ca_cert": "no certificate"}, "PEM"),
    ({"host_ssh_admin_user": "somebody-else"}, "host_ssh_admin_user"),
    ({"host_apt_proxy": "10.0.0.1:3142"}, "http://address:port"),
    ({"host_firewall_input": [{"proto": "tcp", "ports": [1], "sources": ["everyone"]}]}, "everyone"),
    ({"host_firewall_input": [{"proto": "icmp", "ports": [1], "sources": "any"}]}, "proto"),
]


def test_mistakes_are_refused_before_anything_changes(box: Box, wanted: dict[str, Variables]) -> None:
    # the operator's variables of one try stay set in the next: each try says all of them
    mistaken = [
        {"host_ssh_admin_user": "suite", "host_apt_proxy": ""} | wanted["default"] | mistake for mistake, _ in MISTAKES
    ]
    for (mistake, message), said in zip(MISTAKES, box.refusals("host", mistaken), strict=True):
        assert message in said, mistake
