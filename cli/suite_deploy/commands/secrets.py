# SPDX-License-Identifier: MIT
"""`suite-deploy secrets`: make what is missing, see what is there, read one value, give one value."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..model.deployment import Deployment
    from ..secrets.store import SecretStore

_password_file = click.option(
    "--vault-password-file",
    type=click.Path(path_type=Path),
    help="File with the vault password, or program that prints it. Default: $ANSIBLE_VAULT_PASSWORD_FILE.",
)


def _inventory(function: Callable[..., None]) -> Callable[..., None]:
    return click.argument("name")(_password_file(function))


@click.group(short_help="Make and look after the secrets of an inventory.")
def command() -> None:
    """Make and look after the secrets of an inventory.

    On local suites they are in the state directory, readable by root only. Elsewhere they are vaulted values in
    secrets.yml beside the inventory, to be kept in version control.
    """


@command.command()
@_inventory
def init(name: str, vault_password_file: Path | None) -> None:
    """Generate what is missing. What is there already is never changed.

    The vault password is a file of yours, made once per suite and readable by you alone:

    \b
    (umask 077 && head -c 32 /dev/urandom | base64 > ~/.vault-SUITE)
    export ANSIBLE_VAULT_PASSWORD_FILE=~/.vault-SUITE
    """
    from ..secrets.ensure import add_missing, missing

    deployment, store = _open(name, vault_password_file)
    before = len(store)
    for key in add_missing(store, deployment.secrets_wanted):
        click.echo(key)
    click.echo(f"{len(store) - before} added to {store.path}, {before} there before.", err=True)
    left = missing(store, deployment.secrets_wanted)
    for one in left:
        why = one.purpose or "given by you"
        click.echo(f"{one.name}: {why}. Run: suite-deploy secrets set {name} {one.name}", err=True)
    if left:
        raise click.exceptions.Exit(2)


@command.command(name="list")
@_inventory
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def list_(name: str, vault_password_file: Path | None, form: str) -> None:
    """Names, kinds and whether each is there. Never a value."""
    import json

    deployment, store = _open(name, vault_password_file)
    rows = [
        {
            "name": one.name,
            "kind": one.kind,
            "state": "present" if one.name in store else "missing",
            "purpose": one.purpose,
        }
        for one in deployment.secrets_wanted
    ]
    rows += [
        {"name": key, "kind": "", "state": "unused", "purpose": "no enabled component asks for it"}
        for key in store
        if key not in {one.name for one in deployment.secrets_wanted}
    ]
    if form == "json":
        click.echo(json.dumps({"file": str(store.path), "secrets": rows}, indent=2))
        return
    widths = {column: max((len(row[column]) for row in rows), default=0) for column in ("name", "kind", "state")}
    for row in rows:
        click.echo(
            "  ".join([*(row[column].ljust(width) for column, width in widths.items()), row["purpose"]]).rstrip()
        )


@command.command()
@_inventory
@click.argument("key")
@click.option("--reveal", is_flag=True, help="Also when the output is not a terminal.")
def show(name: str, vault_password_file: Path | None, key: str, reveal: bool) -> None:
    """Print one value (to a terminal, unless --reveal)."""
    from ..errors import InvalidInput, Problem

    if not reveal and not sys.stdout.isatty():
        raise click.UsageError("The output is not a terminal; add --reveal to write the value to it all the same.")
    deployment, store = _open(name, vault_password_file)
    if key not in store:
        known = key in {one.name for one in deployment.secrets_wanted}
        found = "is not there yet." if known else "is no secret of this inventory."
        step = f"Run: suite-deploy secrets {'init' if known else 'list'} {name}"
        raise InvalidInput([Problem(str(store.path), 0, key, found, next_step=step)])
    click.echo(store[key].reveal().rstrip("\n"))


@command.command(name="set")
@_inventory
@click.argument("key")
def set_(name: str, vault_password_file: Path | None, key: str) -> None:
    """Keep a value you give, typed or from standard input.

    Refused when the key has a value: remove its lines from the file first, knowing what uses it.
    """
    from ..errors import InvalidInput, Problem
    from ..secrets.value import Secret

    deployment, store = _open(name, vault_password_file)
    found = ""
    if key not in {one.name for one in deployment.secrets_wanted}:
        found, step = "is no secret of this inventory.", f"Run: suite-deploy secrets list {name}"
    elif key in store:
        found, step = "has a value already.", f"Remove its lines from {store.path} first."
    if found:
        raise InvalidInput([Problem(str(store.path), store.lines.get(key, 0), key, found, next_step=step)])
    if sys.stdin.isatty():
        value = click.prompt(key, hide_input=True, confirmation_prompt=True, err=True)
    else:
        value = sys.stdin.read()
        # `echo value |` and a file of one line end in a newline that is not meant
        value = value[:-1] if value.count("\n") == 1 and value.endswith("\n") else value
    if not value:
        raise InvalidInput([Problem(str(store.path), 0, key, "was given an empty value.")])
    store.add({key: Secret(key, value)})
    click.echo(f"{key} added to {store.path}.", err=True)


def _open(name: str, vault_password_file: Path | None) -> tuple[Deployment, SecretStore]:
    from ..model.loader import load
    from ..secrets.ensure import open_store

    deployment = load(name)
    if deployment.is_local:
        from ..runners.elevate import become_root

        become_root("reading the secrets of a local suite")
    return deployment, open_store(deployment, vault_password_file)
