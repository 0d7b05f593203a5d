# SPDX-License-Identifier: MIT
"""Role `postgresql` on a real host: what it holds, whom it lets in, and what survives."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from tests.roles import situations
from tests.roles.authority import Authority
from tests.roles.box import Box, ConvergeFailed

pytestmark = pytest.mark.needs_root

Variables = dict[str, Any]
SERVER = f"postgresql.{situations.DOMAIN}"
SETTINGS = "/etc/postgresql/17/main"
LOG = "/var/log/postgresql/postgresql-17-main.log"


@pytest.fixture(scope="module")
def prepared(box: Box, authority: Authority, stranger: Authority) -> None:
    box.converge("host", "default", situations.host(box, authority, stranger, "")["default"], run="before")
    box.succeed("cat > /tmp/stranger.crt <<'PEM'\n" + stranger.certificate + "PEM")


@pytest.fixture(scope="module")
def wanted(box: Box, authority: Authority) -> dict[str, Variables]:
    return situations.postgresql(box, authority)


@pytest.fixture(scope="module", params=situations.SITUATIONS)
def situation(request: pytest.FixtureRequest, prepared: None, box: Box, wanted: dict[str, Variables]) -> str:
    box.converge("postgresql", request.param, wanted[request.param], arguments=["--diff"])
    return request.param


@pytest.fixture(scope="module")
def variables(wanted: dict[str, Variables], situation: str) -> Variables:
    return wanted[situation]


def ask(box: Box, query: str, database: str = "postgres") -> str:
    """Answer of the superuser's query over the socket."""
    return box.succeed(f"runuser -u postgres -- psql -XAt -d {database} -c {shlex.quote(query)}")


def connect(box: Box, database: Variables, query: str = "SELECT 1", **changes: str) -> tuple[bool, str]:
    """Connect over TCP as a component does, with some parameters changed; what came back."""
    parameters = {
        "host": SERVER,
        "dbname": database["name"],
        "user": database["owner"],
        "sslmode": "verify-full",
        "sslrootcert": "/etc/suite/ca.crt",
        "connect_timeout": "5",
    } | changes
    password = changes.pop("password", database["password"])
    parameters.pop("password", None)
    conninfo = " ".join(f"{key}={value}" for key, value in parameters.items())
    done = box.command(
        f"export PGPASSWORD={shlex.quote(password)}\npsql -XAt {shlex.quote(conninfo)} -c {shlex.quote(query)}"
    )
    return done.returncode == 0, done.stdout + done.stderr


def entry(variables: Variables, name: str) -> Variables:
    return next(database for database in variables["postgresql_databases"] if database["name"] == name)


def test_a_second_run_changes_nothing(box: Box, situation: str, variables: Variables) -> None:
    assert box.converge("postgresql", situation, variables, run="second").changed == ()


def test_check_mode_changes_and_announces_nothing(box: Box, situation: str, variables: Variables) -> None:
    assert box.converge("postgresql", situation, variables, run="check", arguments=["--check"]).changed == ()


def test_the_cluster_is_the_only_one_and_lies_on_the_volume(box: Box, situation: str) -> None:
    clusters = box.succeed("pg_lsclusters --no-header").splitlines()
    assert [line.split()[:2] for line in clusters] == [["17", "main"]]
    assert ask(box, "SHOW data_directory") == "/srv/postgresql/17/main"
    assert ask(box, "SHOW data_checksums") == "on"
    assert box.command("ls /var/lib/postgresql/17").returncode != 0


def test_locales_are_the_declared_ones(box: Box, situation: str, variables: Variables) -> None:
    query = "SELECT datname, datlocprovider, coalesce(datlocale, datcollate), pg_encoding_to_char(encoding) FROM pg_database"
    found = dict(line.split("|", 1) for line in ask(box, query).splitlines())
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
    privileged = "rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls"
    assert ask(box, "SELECT rolname FROM pg_roles WHERE " + privileged) == "postgres"


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


def test_settings_that_an_interrupted_run_left_unread_are_taken_over(
    box: Box, situation: str, variables: Variables
) -> None:
    connections = ask(box, "SHOW max_connections")
    # as if an earlier run had written the wanted file, after other settings had been in effect
    box.succeed(
        f"cp -p {SETTINGS}/conf.d/suite.conf /tmp/wanted.conf"
        f" && sed -i 's/^max_connections.*/max_connections = 33/' {SETTINGS}/conf.d/suite.conf"
        " && systemctl restart postgresql@17-main && sleep 1.1"
        f" && cat /tmp/wanted.conf > {SETTINGS}/conf.d/suite.conf"
    )
    assert ask(box, "SHOW max_connections") == "33"
    assert box.converge("postgresql", situation, variables, run="resumed").changed
    assert ask(box, "SHOW max_connections") == connections
    assert box.converge("postgresql", situation, variables, run="second").changed == ()


def test_a_new_certificate_needs_no_restart(box: Box, situation: str, variables: Variables) -> None:
    started = ask(box, "SELECT pg_postmaster_start_time()")
    serial = "openssl x509 -noout -serial -in /etc/suite/tls/postgresql.crt"
    served = f"openssl s_client -starttls postgres -connect {SERVER}:5432 </dev/null | openssl x509 -noout -serial"
    before = box.succeed(serial)
    box.succeed("sleep 1.1; rm /etc/suite/tls/postgresql.crt")
    assert "postgresql : Reload PostgreSQL" in box.converge("postgresql", situation, variables, run="renewal").changed
    assert box.succeed(serial) != before
    assert box.succeed(served) == box.succeed(serial)
    assert ask(box, "SELECT pg_postmaster_start_time()") == started


def test_a_database_that_was_opened_to_everybody_is_closed_again(
    box: Box, situation: str, variables: Variables
) -> None:
    ask(box, "GRANT CONNECT ON DATABASE alpha TO PUBLIC")
    assert box.converge("postgresql", situation, variables, run="repair").changed == (
        "postgresql : Close the databases to everybody else",
    )
    assert ask(box, "SELECT has_database_privilege('public', 'alpha', 'CONNECT')") == "f"


def test_data_that_was_kept_is_adopted_by_a_new_host(box: Box, situation: str, variables: Variables) -> None:
    connected, answer = connect(box, entry(variables, "alpha"), "INSERT INTO kept VALUES ('a line')")
    assert connected, answer
    # what is left of a host that was made anew: the volume, with another number for the account
    box.succeed(
        "systemctl stop postgresql@17-main && rm -r /etc/postgresql/17 && chown -R 4242:4242 /srv/postgresql"
        " && systemctl daemon-reload"
    )
    box.converge("postgresql", situation, variables, run="adopted")
    connected, answer = connect(box, entry(variables, "alpha"), "SELECT line FROM kept")
    assert connected, answer
    assert "a line" in answer.splitlines()
    assert ask(box, "SHOW data_checksums") == "on"
    assert box.converge("postgresql", situation, variables, run="second").changed == ()


def test_it_comes_back_after_a_restart_of_its_units(box: Box, situation: str, variables: Variables) -> None:
    box.succeed("systemctl restart postgresql.service")
    assert box.succeed("systemctl is-enabled postgresql.service") == "enabled"
    connected, answer = connect(box, entry(variables, "alpha"))
    assert connected, answer


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"owner": "postgres"}, "not the\\s+superuser"),
        ({"name": "template1"}, "superuser"),
        ({"sources": ["0.0.0.0/0"]}, "never everything"),
        ({"sources": ["everyone"]}, "networks such as"),
        ({"password": "short"}, "shorter than 16"),
        ({"name": "beta"}, "twice"),
        ({"locale": "fr_FR"}, "locale"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_mistakes_are_refused_before_anything_changes(
    box: Box, wanted: dict[str, Variables], changes: Variables, message: str
) -> None:
    alpha, *others = wanted["default"]["postgresql_databases"]
    mistaken = wanted["default"] | {"postgresql_databases": [alpha | changes, *others]}
    with pytest.raises(ConvergeFailed, match=message) as refused:
        box.converge("postgresql", "default", mistaken, run="refused")
    assert alpha["password"] not in str(refused.value)
