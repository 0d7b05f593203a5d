# SPDX-License-Identifier: MIT
"""`suite-deploy destroy NAME`: remove what `up` made; volumes and buckets only with --with-data."""

from __future__ import annotations

import json
import sys

import click

from ..settings import Settings, common_options


@click.command("destroy")
@click.argument("name")
@click.option("--with-data", is_flag=True, help="Remove volumes, buckets, secrets and state too. There is no way back.")
@click.option("--yes", is_flag=True, help="Do not ask. Without a terminal this and --confirm are needed.")
@click.option("--confirm", metavar="NAME", help="The suite's name once more.")
@common_options
def command(name: str, with_data: bool, yes: bool, confirm: str | None, settings: Settings) -> None:
    """Remove the suite of inventory NAME. Data volumes and secrets stay unless --with-data is given."""
    from .. import pipeline
    from ..drivers import driver_for
    from ..model.loader import load
    from ..report.console import Stages

    deployment = load(name)
    suite = deployment.suite.suite
    _ask(suite, with_data, yes, confirm)
    session = pipeline.Session(deployment, settings, Stages(quiet=settings.quiet))
    with session.locked("destroy"), session.stages.stage("destroy") as progress:
        from ..runners.ssh import close_connections

        close_connections(session.state, [host.name for host in deployment.hosts])
        kept = driver_for(deployment, settings.vault_password_file).destroy(progress, with_data=with_data)
    if settings.json:
        click.echo(json.dumps({"suite": suite, "kept": kept}, indent=2))
        return
    click.echo(f"{suite} is removed.")
    for item in kept:
        click.echo(f"kept: {item}")


def _ask(suite: str, with_data: bool, yes: bool, confirm: str | None) -> None:
    """Make sure a person means it. Raises click.UsageError when nobody can be asked or the names differ."""
    if confirm is not None and confirm != suite:
        raise click.UsageError(f"--confirm says {confirm!r}, the suite is {suite!r}: nothing was touched")
    if yes and confirm == suite:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"without a terminal to ask on, `destroy` needs: --yes --confirm {suite}")
    what = "and ALL ITS DATA" if with_data else "(data volumes and secrets stay)"
    if click.prompt(f"This removes the suite {suite} {what}. Type its name to go on", default="") != suite:
        raise click.UsageError("that is not its name: nothing was touched")
