# SPDX-License-Identifier: MIT
"""`suite-deploy check NAME`: validate an inventory and judge it, touching nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from ..settings import Settings, common_options


@click.command("check")
@click.argument("name")
@click.option("--explain", metavar="KEY", help="Show a key's value and where it comes from, like `components.synapse`.")
@click.option("--on", metavar="DATE", help="Judge as if it were that day (YYYY-MM-DD).")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write the findings as JUnit XML too.")
@click.option("--evidence", type=click.Path(dir_okay=False, path_type=Path), help="Write the evidence file there.")
@common_options
def command(
    name: str, explain: str | None, on: str | None, junit: Path | None, evidence: Path | None, settings: Settings
) -> None:
    """Validate inventory NAME and judge it by the policies of its profile. Exit 3 when a finding blocks."""
    from ..model.inventory import read_inventory
    from ..model.loader import resolve

    inventory = read_inventory(name)
    deployment = resolve(inventory)
    if explain:
        from ..model.explain import explain as explain_key

        click.echo(explain_key(inventory, deployment, explain))
        return
    from .. import pipeline
    from ..errors import FoundFailures
    from ..policy.output import write_reports

    _, verdict = pipeline.judge(deployment, _day(on))
    write_reports(verdict, format=settings.format, junit=junit, evidence=evidence)
    if not settings.json:
        for problem in deployment.not_in_this_version:
            click.echo(f"note: {problem}", err=True)
    if verdict.blocking:
        raise FoundFailures("the policies refuse this inventory")


def _day(text: str | None) -> date | None:
    """The day to judge on. Raises click.BadParameter when the text is none."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no date; write it like 2026-12-01", param_hint="--on") from None
