# SPDX-License-Identifier: MIT
"""Talks to the database server of the box, as its superuser and as components do."""

from __future__ import annotations

import shlex
from typing import Any

from tests.roles import situations
from tests.roles.box import Box

Variables = dict[str, Any]
SERVER = f"postgresql.{situations.DOMAIN}"


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
