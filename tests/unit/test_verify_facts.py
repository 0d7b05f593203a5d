# SPDX-License-Identifier: MIT
"""Each fact check is green on a healthy host and red, with a message that names the thing, on a broken one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from suite_deploy.model.deployment import Deployment
from suite_deploy.model.loader import load
from suite_deploy.secrets.value import Secret
from suite_deploy.verify import Finding, VerifyResult, expected, run_verify
from tests.unit.verify_fakes import Facts, InstalledFile, connect, healthy, outputs_of, socket_line

#: facts that are asked of the hosts alone, not of the network
ON_HOSTS = (
    "facts/units",
    "facts/ports/*socket*",
    "facts/ports/*declared*",
    "facts/files",
    "facts/containers",
    "facts/firewall",
    "facts/clocks",
    "facts/isolation",
    "facts/tls/*_reached_*",
)


@pytest.fixture(scope="module")
def described() -> Deployment:
    return load("demo")


@pytest.fixture
def deployment(described: Deployment, tmp_path: Path) -> Deployment:
    """The demo, with two rendered files in its state: one open, one with a secret."""
    build = tmp_path / "build" / described.hosts[0].name
    (build / "etc/suite/x").mkdir(parents=True)
    (build / "etc/suite/x/open.conf").write_text("key: value\n")
    (build / "etc/suite/x/secret.conf").write_text("key: @secret:x.y@\n")
    entry = {"owner": 1065536, "group": 1065536, "component": "x"}
    entries = [
        {"path": "/etc/suite/x/open.conf", "mode": "0444", "secret": False, **entry},
        {"path": "/etc/suite/x/secret.conf", "mode": "0400", "secret": True, **entry},
    ]
    (build / "manifest.json").write_text(json.dumps(entries))
    return replace(described, state_dir=tmp_path)


@pytest.fixture
def facts(deployment: Deployment) -> Facts:
    facts = healthy(deployment, outputs_of(deployment).hosts[0])
    digest = hashlib.sha256(b"key: value\n").hexdigest()
    facts.files["/etc/suite/x/open.conf"] = InstalledFile("444", 1065536, 1065536, digest)
    facts.files["/etc/suite/x/secret.conf"] = InstalledFile("400", 1065536, 1065536, "f" * 64)
    return facts


@pytest.fixture
def verify(deployment: Deployment, facts: Facts) -> Callable[[str], VerifyResult]:
    secrets = {"x.y": Secret("x.y", "open-sesame-open-sesame")}
    host = deployment.hosts[0].name

    def run(only: str) -> VerifyResult:
        return run_verify(
            deployment, outputs_of(deployment), secrets, deployment.state_dir, only=only, connect=connect({host: facts})
        )

    return run


def only_failure(result: VerifyResult) -> Finding:
    assert len(result.failures) == 1, [(finding.id, finding.message) for finding in result.failures]
    return result.failures[0]


@pytest.mark.parametrize("only", ON_HOSTS)
def test_healthy_host_is_green(verify: Callable[[str], VerifyResult], only: str) -> None:
    result = verify(only)
    assert result.ok, result.as_text()


def test_stopped_unit_is_red_and_shows_its_journal(verify: Callable[[str], VerifyResult], facts: Facts) -> None:
    unit = next(name for name in facts.units if name.startswith("postgresql"))
    facts.units[unit]["ActiveState"], facts.units[unit]["SubState"] = "failed", "failed"
    facts.journal = "FATAL: the password open-sesame-open-sesame is wrong"
    failure = only_failure(verify("facts/units"))
    assert f"{unit} is failed" in failure.message
    assert any(f"journalctl -u {unit}" in line for line in failure.look_at), failure.look_at
    assert "the password [secret:x.y] is wrong" in failure.journal


def test_absent_unit_is_red(verify: Callable[[str], VerifyResult], facts: Facts) -> None:
    unit = facts.units.popitem()[0]
    assert f"{unit} does not exist" in only_failure(verify("facts/units")).message


def test_unit_that_keeps_falling_over_is_red(verify: Callable[[str], VerifyResult], facts: Facts) -> None:
    unit = next(iter(facts.units))
    facts.units[unit]["NRestarts"] = "17"
    assert f"{unit} was restarted 17 times" in only_failure(verify("facts/units")).message


def test_failed_unit_nobody_declared_is_red(verify: Callable[[str], VerifyResult], facts: Facts) -> None:
    facts.failed.append("logrotate.service")
    assert "logrotate.service" in only_failure(verify("facts/units")).message


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (socket_line("tcp", "::", 6379, "redis-server"), "redis-server on tcp [::]:6379"),
        (socket_line("tcp", "::", 9000, "conmon"), "conmon on tcp [::]:9000"),
        (socket_line("udp", "192.0.2.10", 161, "snmpd"), "snmpd on udp 192.0.2.10:161"),
        (socket_line("tcp", "::", 5432, "postgres"), "where only tcp 5432 on private (database) may be"),
        (socket_line("tcp", "192.0.2.10", 53, "named"), "named on tcp 192.0.2.10:53"),
        (socket_line("tcp", "127.0.0.1", 8125, "statsd"), "statsd on tcp 127.0.0.1:8125"),
    ],
)
def test_socket_outside_its_endpoint_is_red(
    verify: Callable[[str], VerifyResult], facts: Facts, line: str, said: str
) -> None:
    facts.sockets.append(line)
    assert said in only_failure(verify("*listens_outside*")).message


def test_published_port_on_every_address_is_red(
    verify: Callable[[str], VerifyResult], facts: Facts, deployment: Deployment
) -> None:
    _, port = next(expected.published(deployment.ordered[0]))
    facts.sockets.append(socket_line("tcp", "::", port, "conmon"))
    assert f"conmon on tcp [::]:{port}" in only_failure(verify("*listens_outside*")).message


def test_gateway_of_a_container_network_may_answer_names(verify: Callable[[str], VerifyResult], facts: Facts) -> None:
    facts.sockets.append(socket_line("udp", "10.89.2.1", 53, "aardvark-dns"))
    assert verify("*listens_outside*").ok


def test_silent_endpoint_is_red(verify: Callable[[str], VerifyResult], facts: Facts) -> None:
    facts.sockets = [line for line in facts.sockets if ":443 " not in line]
    assert "tcp 443 on any (web)" in only_failure(verify("*declared_endpoint*")).message


@pytest.mark.parametrize(
    ("path", "change", "said"),
    [
        ("/etc/suite/x/open.conf", None, "is missing"),
        ("/etc/suite/x/open.conf", {"mode": "666"}, "has mode 0666, not 0444"),
        ("/etc/suite/x/open.conf", {"sha256": "0" * 64}, "was changed on the host"),
        ("/etc/suite/x/secret.conf", {"uid": 0}, "belongs to 0:1065536, not to 1065536:1065536"),
    ],
)
def test_changed_file_is_red(
    verify: Callable[[str], VerifyResult], facts: Facts, path: str, change: dict[str, Any] | None, said: str
) -> None:
    fact = facts.files.pop(path)
    if change is not None:
        facts.files[path] = replace(fact, **change)
    assert f"{path} {said}" in only_failure(verify("facts/files/files_are")).message


def test_secret_that_everyone_reads_is_red(verify: Callable[[str], VerifyResult], facts: Facts) -> None:
    fact = facts.files["/etc/suite/x/secret.conf"]
    facts.files["/etc/suite/x/secret.conf"] = replace(fact, mode="404")
    assert "/etc/suite/x/secret.conf has mode 0404" in only_failure(verify("*open_to_others*")).message


def test_container_outside_its_id_range_is_red(verify: Callable[[str], VerifyResult], facts: Facts) -> None:
    facts.containers[0]["HostConfig"]["IDMappings"]["UidMap"] = ["0:2147483648:65536"]
    assert "are not within" in only_failure(verify("*id_range*")).message


def test_container_in_the_hosts_id_space_is_red(verify: Callable[[str], VerifyResult], facts: Facts) -> None:
    facts.containers[0]["HostConfig"]["IDMappings"] = None
    assert "its root is the host's root" in only_failure(verify("*id_range*")).message


def test_container_that_runs_as_root_is_red(verify: Callable[[str], VerifyResult], facts: Facts) -> None:
    pid = facts.containers[0]["State"]["Pid"]
    facts.process_uids[pid] = 0
    assert "runs as uid 0 on the host" in only_failure(verify("*id_range*")).message


@pytest.mark.parametrize(
    ("part", "key", "value", "said"),
    [
        ("HostConfig", "Privileged", True, "is privileged"),
        ("HostConfig", "ReadonlyRootfs", False, "root file system is writable"),
        ("HostConfig", "NetworkMode", "host", "is in the host's network"),
        (None, "EffectiveCaps", ["CAP_SYS_ADMIN"], "capabilities nobody declared: CAP_SYS_ADMIN"),
    ],
)
def test_container_with_privilege_is_red(
    verify: Callable[[str], VerifyResult], facts: Facts, part: str | None, key: str, value: object, said: str
) -> None:
    (facts.containers[0][part] if part else facts.containers[0])[key] = value
    assert said in only_failure(verify("*no_privilege*")).message


def test_container_without_a_digest_is_red(verify: Callable[[str], VerifyResult], facts: Facts) -> None:
    facts.containers[0]["ImageName"] = "registry.example/thing:latest"
    assert "a name without a digest" in only_failure(verify("*digest*")).message


def test_stopped_container_is_red(verify: Callable[[str], VerifyResult], facts: Facts) -> None:
    facts.containers[0]["State"]["Running"] = False
    assert "has no running container" in only_failure(verify("*digest*")).message


def test_foreign_container_is_red(verify: Callable[[str], VerifyResult], facts: Facts) -> None:
    facts.containers.append({**facts.containers[0], "Name": "miner", "Config": {"Labels": {}}})
    assert "miner" in only_failure(verify("that_nobody_declared")).message


def test_missing_firewall_is_red(verify: Callable[[str], VerifyResult], facts: Facts) -> None:
    facts.policies = {}
    failures = verify("facts/firewall").failures
    assert len(failures) == 2 and all("nothing is filtered" in failure.message for failure in failures)


def test_open_forward_chain_is_red(verify: Callable[[str], VerifyResult], facts: Facts) -> None:
    facts.policies["forward"] = "accept"
    assert "the forward chain's policy is accept" in only_failure(verify("facts/firewall")).message


def test_container_that_reaches_the_outside_is_red(verify: Callable[[str], VerifyResult], facts: Facts) -> None:
    facts.reach[facts.containers[0]["State"]["Pid"]] = ""
    assert "opened a connection to" in only_failure(verify("*reach_the_outside*")).message


def test_unreachable_operator_proves_nothing(verify: Callable[[str], VerifyResult], facts: Facts) -> None:
    facts.reach = {}
    result = verify("*reach_the_outside*")
    assert result.skipped == len(result.findings) > 0 and not result.ok


def test_a_component_in_the_hosts_network_is_no_container_to_ask_from(
    verify: Callable[[str], VerifyResult], deployment: Deployment
) -> None:
    theirs = [
        item.slug
        for item in deployment.ordered
        if all(service.network == "host" for service in item.description.services.values())
    ]
    assert theirs
    skipped = {item.id: item.message for item in verify("*reach_the_outside*").findings if item.status == "skipped"}
    for slug in theirs:
        assert "in its host's network" in skipped[f"facts/isolation/containers_do_not_reach_the_outside[{slug}]"]


def test_names_without_http_are_not_asked_for_it(deployment: Deployment) -> None:
    bare = {
        item.hostnames[listen.sni]
        for item in deployment.ordered
        for service in item.description.services.values()
        for listen in service.listen
        if listen.sni
    }
    assert bare and set(deployment.public_names) - set(expected.web_names(deployment)) == bare


def test_component_that_reaches_another_directly_is_red(verify: Callable[[str], VerifyResult], facts: Facts) -> None:
    first, second = facts.containers[:2]
    facts.reach[first["State"]["Pid"]] = second["NetworkSettings"]["Networks"].popitem()[1]["IPAddress"]
    second["NetworkSettings"]["Networks"]["x"] = {"IPAddress": facts.reach[first["State"]["Pid"]]}
    message = only_failure(verify("*reach_each_other*")).message
    assert f"{first['Name']} → {second['Name']}" in message


def test_wrong_clock_is_red(verify: Callable[[str], VerifyResult], facts: Facts) -> None:
    facts.clock = -90.0
    assert "-90.0 s off" in only_failure(verify("facts/clocks")).message


def test_data_service_with_a_wrong_certificate_is_red(verify: Callable[[str], VerifyResult], facts: Facts) -> None:
    facts.handshake, facts.handshake_rc = "verify error:num=62:hostname mismatch\n", 1
    failures = verify("*cache_is_reached*").failures
    assert failures and all("hostname mismatch" in failure.message for failure in failures)


def test_plain_answer_of_a_data_service_is_red(verify: Callable[[str], VerifyResult], facts: Facts) -> None:
    facts.handshake, facts.handshake_rc = "", 0
    assert verify("*database_is_reached*").failed


def test_unreachable_host_is_red_and_not_a_crash(verify: Callable[[str], VerifyResult], facts: Facts) -> None:
    facts.unreachable = True
    result = verify("facts/units")
    assert result.failed == 2 and all("not reachable over SSH" in finding.message for finding in result.failures)
