# SPDX-License-Identifier: MIT
"""Role `valkey` on a real host: separate instances, TLS and a password only."""

from __future__ import annotations

import hashlib
import shlex
from typing import Any

import pytest

from tests.roles import situations
from tests.roles.authority import Authority
from tests.roles.box import Box

pytestmark = pytest.mark.needs_root

Variables = dict[str, Any]
SERVER = f"valkey.{situations.DOMAIN}"


@pytest.fixture(scope="module")
def wanted(box: Box, authority: Authority) -> dict[str, Variables]:
    return situations.valkey(box, authority)


@pytest.fixture(scope="module", params=situations.SITUATIONS)
def situation(request: pytest.FixtureRequest, ready: None, box: Box, wanted: dict[str, Variables]) -> str:
    box.converge("valkey", request.param, wanted[request.param], arguments=["--diff"])
    return request.param


@pytest.fixture(scope="module")
def variables(wanted: dict[str, Variables], situation: str) -> Variables:
    return wanted[situation]


def client(
    box: Box, port: int, command: str, *, password: str = "", tls: str = "--tls --cacert /etc/suite/ca.crt"
) -> str:
    """What valkey-cli says to a command; errors too."""
    done = box.command(
        f'export REDISCLI_AUTH={shlex.quote(password)}\n[ -n "$REDISCLI_AUTH" ] || unset REDISCLI_AUTH\n'
        f"timeout 5 valkey-cli -h {SERVER} -p {port} {tls} {command}"
    )
    return (done.stdout + done.stderr).strip()


def test_a_second_run_changes_nothing_and_restarts_nothing(box: Box, situation: str, variables: Variables) -> None:
    pids = box.succeed("pgrep valkey-server")
    assert box.converge("valkey", situation, variables, run="second").changed == ()
    assert box.succeed("pgrep valkey-server") == pids


def test_exactly_the_declared_instances_run(box: Box, situation: str, variables: Variables) -> None:
    units = box.succeed("systemctl list-units --state=running --plain --no-legend 'valkey*'").splitlines()
    wanted = {f"valkey-server@{instance['name']}.service" for instance in variables["valkey_instances"]}
    assert {line.split()[0] for line in units} == wanted
    assert set(box.succeed("cd /etc/systemd/system/multi-user.target.wants && ls -d valkey-server@*").split()) == wanted
    listening = {line.split()[3] for line in box.succeed("ss -Htlnp | grep valkey-server").splitlines()}
    assert listening == {f"{box.address}:{instance['port']}" for instance in variables["valkey_instances"]}


def test_the_packages_own_instance_never_ran(box: Box, situation: str) -> None:
    assert box.succeed("systemctl is-enabled valkey-server.service || true") == "masked"
    assert box.succeed("systemctl is-active valkey-server.service || true") == "inactive"
    assert "Started valkey-server.service" not in box.succeed("journalctl --no-pager --unit=valkey-server.service")
    assert not box.host.file("/var/lib/valkey/dump.rdb").exists


def test_clients_with_tls_and_password_are_served(box: Box, situation: str, variables: Variables) -> None:
    for instance in variables["valkey_instances"]:
        assert client(box, instance["port"], f"SET whose {instance['name']}", password=instance["password"]) == "OK"
        assert client(box, instance["port"], "GET whose", password=instance["password"]) == instance["name"]


def test_clients_without_tls_are_refused(box: Box, situation: str, variables: Variables) -> None:
    for instance in variables["valkey_instances"]:
        answer = client(box, instance["port"], "PING", password=instance["password"], tls="")
        assert "PONG" not in answer
        assert "rror" in answer


def test_clients_without_or_with_a_neighbours_password_are_refused(
    box: Box, situation: str, variables: Variables
) -> None:
    for instance in variables["valkey_instances"]:
        assert "NOAUTH" in client(box, instance["port"], "PING")
        for other in variables["valkey_instances"]:
            if other != instance:
                answer = client(box, instance["port"], "PING", password=other["password"])
                assert "NOAUTH" in answer or "WRONGPASS" in answer


def test_a_password_that_was_changed_no_longer_opens(box: Box, situation: str, wanted: dict[str, Variables]) -> None:
    valid = wanted[situation]["valkey_instances"][0]
    for variables in wanted.values():
        instance = variables["valkey_instances"][0]
        answer = client(box, valid["port"], "PING", password=instance["password"])
        assert (answer == "PONG") == (instance["password"] == valid["password"])


def test_clients_notice_a_server_of_another_authority(box: Box, situation: str, variables: Variables) -> None:
    instance = variables["valkey_instances"][0]
    tls = "--tls --cacert /tmp/stranger.crt"
    assert "certificate verify failed" in client(box, instance["port"], "PING", password=instance["password"], tls=tls)


def test_clients_cannot_reconfigure_the_server(box: Box, situation: str, variables: Variables) -> None:
    instance = variables["valkey_instances"][0]
    for command in ("CONFIG SET dir /tmp", "ACL LIST", "SHUTDOWN NOSAVE", "REPLICAOF 192.0.2.1 6379"):
        assert "NOPERM" in client(box, instance["port"], command, password=instance["password"])


def test_memory_is_limited(box: Box, situation: str, variables: Variables) -> None:
    for instance in variables["valkey_instances"]:
        answer = client(box, instance["port"], "INFO memory", password=instance["password"])
        limit = int(instance.get("memory", "64mb").removesuffix("mb")) * 1024 * 1024
        assert f"maxmemory:{limit}" in answer.splitlines()
        assert "maxmemory_policy:noeviction" in answer.splitlines()


def test_old_tls_is_refused_unless_declared(box: Box, situation: str, variables: Variables) -> None:
    port = variables["valkey_instances"][0]["port"]
    answer = box.command(f"openssl s_client -tls1_2 -connect {SERVER}:{port} </dev/null 2>&1").returncode
    assert (answer == 0) == ("TLSv1.2" in variables.get("valkey_tls_protocols", "TLSv1.3"))


def test_passwords_stand_nowhere_in_clear_and_settings_are_private(
    box: Box, situation: str, wanted: dict[str, Variables]
) -> None:
    said = "".join(run.output for run in box.runs if run.role == "valkey")
    shown = box.succeed("ps axww -o args; journalctl --no-pager --output=cat; cat /etc/valkey/*.conf")
    for variables in wanted.values():
        for instance in variables["valkey_instances"]:
            digest = hashlib.sha256(instance["password"].encode()).hexdigest()
            assert instance["password"] not in said
            assert digest not in said
            assert instance["password"] not in shown
    for instance in wanted[situation]["valkey_instances"]:
        file = box.host.file(f"/etc/valkey/valkey-{instance['name']}.conf")
        assert (file.user, file.group, file.mode) == ("root", "valkey", 0o640)
        data = box.host.file(f"/srv/valkey/{instance['name']}")
        assert (data.user, data.group, data.mode) == ("valkey", "valkey", 0o750)


def test_data_survives_a_restart_where_it_is_persistent(box: Box, situation: str, variables: Variables) -> None:
    instance = variables["valkey_instances"][0]
    client(box, instance["port"], f"SET kept {situation}", password=instance["password"])
    # as on a new host, where the account has another number
    box.succeed(
        f"systemctl stop valkey-server@{instance['name']} && chown -R 4242:4242 /srv/valkey/{instance['name']}"
        f" && systemctl start valkey-server@{instance['name']}"
    )
    kept = client(box, instance["port"], "GET kept", password=instance["password"])
    assert (kept == situation) == variables.get("valkey_persistent", True)


MISTAKES: list[tuple[Variables, str]] = [
    ({"name": "Upper_Case"}, "lower-case letters"),
    ({"port": 80}, "above 1023"),
    ({"memory": "plenty"}, "sensible: 64mb"),
    ({"password": "short"}, "shorter than 16"),
    ({"port": 6402}, "twice"),
]


def test_mistakes_are_refused_before_anything_changes(box: Box, ready: None, wanted: dict[str, Variables]) -> None:
    alpha, *others = wanted["default"]["valkey_instances"]
    mistaken = [wanted["default"] | {"valkey_instances": [alpha | changes, *others]} for changes, _ in MISTAKES]
    for (changes, message), said in zip(MISTAKES, box.refusals("valkey", mistaken), strict=True):
        assert message in " ".join(said.split()), changes
    assert alpha["password"] not in box.runs[-1].output
