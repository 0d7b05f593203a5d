# SPDX-License-Identifier: MIT
"""Role `postgresql` finds a host in disorder."""

from __future__ import annotations

from typing import Any

import pytest

from tests.roles import situations
from tests.roles.authority import Authority
from tests.roles.box import Box
from tests.roles.database import SERVER, ask, connect, entry

pytestmark = pytest.mark.needs_root

Variables = dict[str, Any]
SETTINGS = "/etc/postgresql/17/main"


@pytest.fixture(scope="module")
def variables(ready: None, box: Box, authority: Authority) -> Variables:
    variables = situations.postgresql(box, authority)["default"]
    box.converge("postgresql", "default", variables, run="again")
    connected, answer = connect(box, entry(variables, "alpha"), "CREATE TABLE IF NOT EXISTS kept (line text)")
    assert connected, answer
    return variables


def test_check_mode_changes_and_announces_nothing(box: Box, variables: Variables) -> None:
    assert box.converge("postgresql", "default", variables, run="check", arguments=["--check"]).changed == ()


def test_settings_that_an_interrupted_run_left_unread_are_taken_over(box: Box, variables: Variables) -> None:
    connections = ask(box, "SHOW max_connections")
    # as if an earlier run had written the wanted file, after other settings had been in effect
    box.succeed(
        f"cp -p {SETTINGS}/conf.d/suite.conf /tmp/wanted.conf"
        f" && sed -i 's/^max_connections.*/max_connections = 33/' {SETTINGS}/conf.d/suite.conf"
        " && systemctl restart postgresql@17-main && sleep 1.1"
        f" && cat /tmp/wanted.conf > {SETTINGS}/conf.d/suite.conf"
    )
    assert ask(box, "SHOW max_connections") == "33"
    assert box.converge("postgresql", "default", variables, run="resumed").changed
    assert ask(box, "SHOW max_connections") == connections


def test_a_new_certificate_needs_no_restart_and_an_opened_database_is_closed(box: Box, variables: Variables) -> None:
    started = ask(box, "SELECT pg_postmaster_start_time()")
    serial = "openssl x509 -noout -serial -in /etc/suite/tls/postgresql.crt"
    served = f"openssl s_client -starttls postgres -connect {SERVER}:5432 </dev/null | openssl x509 -noout -serial"
    before = box.succeed(serial)
    box.succeed("sleep 1.1; rm /etc/suite/tls/postgresql.crt")
    ask(box, "GRANT CONNECT ON DATABASE alpha TO PUBLIC")
    changed = box.converge("postgresql", "default", variables, run="repair").changed
    assert "postgresql : Reload PostgreSQL" in changed
    assert "postgresql : Restart PostgreSQL" not in changed
    assert box.succeed(serial) != before
    assert box.succeed(served) == box.succeed(serial)
    assert ask(box, "SELECT pg_postmaster_start_time()") == started
    assert ask(box, "SELECT has_database_privilege('public', 'alpha', 'CONNECT')") == "f"


def test_a_cluster_that_runs_learns_of_its_volume_without_a_restart(box: Box, variables: Variables) -> None:
    show = "systemctl show --property=RequiresMountsFor --value postgresql@17-main"
    box.succeed("rm -r /etc/systemd/system/postgresql@17-main.service.d && systemctl daemon-reload")
    assert "/srv/postgresql" not in box.succeed(show)
    started = ask(box, "SELECT pg_postmaster_start_time()")
    changed = box.converge("postgresql", "default", variables, run="volume").changed
    assert set(changed) == {
        "postgresql : Make the directory of the cluster's unit settings",
        "postgresql : Let the cluster wait for its volume",
    }
    assert "/srv/postgresql/17/main" in box.succeed(show).split()
    assert ask(box, "SELECT pg_postmaster_start_time()") == started


def test_data_that_was_kept_is_adopted_by_a_new_host(box: Box, variables: Variables) -> None:
    connected, answer = connect(box, entry(variables, "alpha"), "INSERT INTO kept VALUES ('a line')")
    assert connected, answer
    # what is left of a host that was made anew: the volume, with another number for the account
    box.succeed(
        "systemctl stop postgresql@17-main && rm -r /etc/postgresql/17 && chown -R 4242:4242 /srv/postgresql"
        " && systemctl daemon-reload"
    )
    box.converge("postgresql", "default", variables, run="adopted")
    connected, answer = connect(box, entry(variables, "alpha"), "SELECT line FROM kept")
    assert connected, answer
    assert "a line" in answer.splitlines()
    assert ask(box, "SHOW data_checksums") == "on"
    assert box.converge("postgresql", "default", variables, run="second").changed == ()


def test_it_comes_back_after_a_restart_of_its_units(box: Box, variables: Variables) -> None:
    box.succeed("systemctl restart postgresql.service")
    assert box.succeed("systemctl is-enabled postgresql.service") == "enabled"
    connected, answer = connect(box, entry(variables, "alpha"))
    assert connected, answer
