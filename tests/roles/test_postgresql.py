# SPDX-License-Identifier: MIT
"""Role `postgresql` on a real host: what it holds, whom it lets in, and what survives."""

from __future__ import annotations

from typing import Any

import pytest

from tests.roles import situations
from tests.roles.authority import Authority
from tests.roles.box import Box
from tests.roles.database import ask, connect, entry

pytestmark = pytest.mark.needs_root

Variables = dict[str, Any]
SETTINGS = "/etc/postgresql/17/main"
PRIVILEGED = """
SELECT rolname FROM pg_roles WHERE rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls
"""
LOCALES = """
SELECT datname, datlocprovider, coalesce(datlocale, datcollate), pg_encoding_to_char(encoding) FROM pg_database
"""
LOG = "/var/log/postgresql/postgresql-17-main.log"


@pytest.fixture(scope="module")
def wanted(box: Box, authority: Authority) -> dict[str, Variables]:
    return situations.postgresql(box, authority)


@pytest.fixture(scope="module", params=situations.SITUATIONS)
def situation(request: pytest.FixtureRequest, ready: None, box: Box, wanted: dict[str, Variables]) -> str:
    box.converge("postgresql", request.param, wanted[request.param], arguments=["--diff"])
    return request.param


@pytest.fixture(scope="module")
def variables(wanted: dict[str, Variables], situation: str) -> Variables:
    return wanted[situation]


def test_a_second_run_changes_nothing(box: Box, situation: str, variables: Variables) -> None:
    assert box.converge("postgresql", situation, variables, run="second").changed == ()


def test_the_cluster_is_the_only_one_and_lies_on_the_volume(box: Box, situation: str) -> None:
    clusters = box.succeed("pg_lsclusters --no-header").splitlines()
    assert [line.split()[:2] for line in clusters] == [["17", "main"]]
    assert ask(box, "SHOW data_directory") == "/srv/postgresql/17/main"
    assert ask(box, "SHOW data_checksums") == "on"
    assert box.command("ls /var/lib/postgresql/17").returncode != 0


def test_the_cluster_waits_for_the_volume_its_data_lies_on(box: Box, situation: str) -> None:
    awaited = box.succeed("systemctl show --property=RequiresMountsFor --value postgresql@17-main").split()
    assert ask(box, "SHOW data_directory") in awaited


def test_locales_are_the_declared_ones(box: Box, situation: str, variables: Variables) -> None:
    found = dict(line.split("|", 1) for line in ask(box, LOCALES).splitlines())
    for database in variables["postgresql_databases"]:
        expected = "c|C|UTF8" if database.get("locale") == "C" else "b|C.UTF-8|UTF8"
        assert found[database["name"]] == expected, database["name"]


def test_extensions_are_there(box: Box, situation: str, variables: Variables) -> None:
    for database in variables["postgresql_databases"]:
        present = ask(box, "SELECT extname FROM pg_extension", database["name"]).splitlines()
        assert set(database.get("extensions", [])) <= set(present)


def test_owners_connect_with_verified_tls(box: Box, situation: str, variables: Variables) -> None:
    for database in variables["postgresql_databases"]:
        if box.network not in database["sources"]:
            continue
        query = "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        connected, answer = connect(box, database, query)
        assert connected, f"{database['name']}: {answer}"
        assert answer.strip() == "t|TLSv1.3"


def test_owners_may_use_their_database_and_are_no_administrators(
    box: Box, situation: str, variables: Variables
) -> None:
    connected, answer = connect(box, entry(variables, "alpha"), "CREATE TABLE IF NOT EXISTS kept (line text)")
    assert connected, answer
    assert ask(box, PRIVILEGED) == "postgres"


def test_connections_without_tls_are_refused(box: Box, situation: str, variables: Variables) -> None:
    connected, answer = connect(box, entry(variables, "alpha"), sslmode="disable")
    assert not connected
    assert "no encryption" in answer


def test_clients_notice_a_server_of_another_authority(box: Box, situation: str, variables: Variables) -> None:
    connected, answer = connect(box, entry(variables, "alpha"), sslrootcert="/tmp/stranger.crt")
    assert not connected
    assert "certificate verify failed" in answer


def test_old_tls_is_refused_unless_declared(box: Box, situation: str, variables: Variables) -> None:
    connected, _ = connect(box, entry(variables, "alpha"), ssl_max_protocol_version="TLSv1.2")
    assert connected == (variables.get("postgresql_tls_min_version") == "TLSv1.2")


def test_a_wrong_password_is_refused(
    box: Box, situation: str, variables: Variables, wanted: dict[str, Variables]
) -> None:
    for other in wanted.values():
        password = entry(other, "alpha")["password"]
        connected, _ = connect(box, entry(variables, "alpha"), password=password)
        assert connected == (password == entry(variables, "alpha")["password"])


def test_an_owner_cannot_open_a_neighbours_or_the_maintenance_database(
    box: Box, situation: str, variables: Variables
) -> None:
    names = [database["name"] for database in variables["postgresql_databases"]]
    for name in [*names, "postgres", "template1"]:
        for database in variables["postgresql_databases"]:
            if name == database["name"]:
                continue
            connected, answer = connect(box, database, dbname=name)
            assert not connected, f"{database['owner']} opened {name}"
            assert "pg_hba.conf" in answer
            # also when a line of pg_hba.conf were too generous
            privilege = f"SELECT has_database_privilege('{database['owner']}', '{name}', 'CONNECT')"
            assert ask(box, privilege) == "f", f"{database['owner']} may open {name}"


def test_the_superuser_cannot_come_over_the_network(box: Box, situation: str, variables: Variables) -> None:
    ask(box, "ALTER ROLE postgres PASSWORD 'only-for-this-test'")
    try:
        for name in ("postgres", "alpha"):
            connected, answer = connect(
                box, entry(variables, "alpha"), dbname=name, user="postgres", password="only-for-this-test"
            )
            assert not connected
            assert "pg_hba.conf rejects connection" in answer
    finally:
        ask(box, "ALTER ROLE postgres PASSWORD NULL")


def test_other_networks_are_refused(box: Box, situation: str, variables: Variables) -> None:
    beta = entry(variables, "beta")
    connected, answer = connect(box, beta)
    assert connected == (box.network in beta["sources"]), answer
    if not connected:
        assert "no pg_hba.conf entry" in answer


def test_it_listens_on_the_private_address_only(box: Box, situation: str) -> None:
    listening = {line.split()[3] for line in box.succeed("ss -Htln").splitlines()}
    assert {address for address in listening if address.endswith(":5432")} == {f"{box.address}:5432"}


def test_memory_and_settings_are_the_declared_ones(box: Box, situation: str, variables: Variables) -> None:
    memory = variables.get("postgresql_memory_mb", 512)
    assert ask(box, "SHOW shared_buffers") == f"{memory // 4}MB"
    assert ask(box, "SHOW max_connections") == str(variables.get("postgresql_max_connections", 100))
    for name, value in variables.get("postgresql_settings", {}).items():
        assert ask(box, f"SHOW {name}") == value
    assert ask(box, "SELECT count(*) FROM pg_settings WHERE pending_restart") == "0"


def test_keys_and_rules_are_readable_by_the_server_only(box: Box, situation: str) -> None:
    key = box.host.file("/etc/suite/tls/postgresql.key")
    assert (key.user, key.group, key.mode) == ("root", "postgres", 0o640)
    for name in ("pg_hba.conf", "conf.d/suite.conf"):
        file = box.host.file(f"{SETTINGS}/{name}")
        assert (file.user, file.mode) == ("postgres", 0o640)


def test_no_password_is_shown_or_logged(box: Box, situation: str, wanted: dict[str, Variables]) -> None:
    said = "".join(run.output for run in box.runs if run.role == "postgresql")
    logged = box.succeed(f"cat {LOG}; journalctl --no-pager --output=cat")
    for variables in wanted.values():
        for database in variables["postgresql_databases"]:
            assert database["password"] not in said
            assert database["password"] not in logged


def test_statements_are_not_logged_with_their_data(box: Box, situation: str, variables: Variables) -> None:
    connect(box, entry(variables, "alpha"), "SELECT 'a-persons-message'::int")
    log = box.succeed(f"tail -n 50 {LOG}")
    assert "STATEMENT" not in log
    assert "ERROR:  invalid input syntax" in log


MISTAKES: list[tuple[Variables, str]] = [
    ({"owner": "postgres"}, "the owner is not the superuser"),
    ({"name": "template1"}, "the owner is not the superuser"),
    ({"sources": ["0.0.0.0/0"]}, "never everything"),
    ({"sources": ["everyone"]}, "networks such as"),
    ({"password": "short"}, "shorter than 16"),
    ({"name": "beta"}, "twice"),
    ({"locale": "fr_FR"}, "locale"),
]


def test_mistakes_are_refused_before_anything_changes(box: Box, ready: None, wanted: dict[str, Variables]) -> None:
    alpha, *others = wanted["default"]["postgresql_databases"]
    mistaken = [wanted["default"] | {"postgresql_databases": [alpha | changes, *others]} for changes, _ in MISTAKES]
    for (changes, message), said in zip(MISTAKES, box.refusals("postgresql", mistaken), strict=True):
        assert message in " ".join(said.split()), changes
    assert alpha["password"] not in box.runs[-1].output
