# SPDX-License-Identifier: MIT
"""`suite-deploy verify NAME`: look at a deployed suite and try what its users do."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..settings import Settings, common_options


@click.command("verify")
@click.argument("name")
@click.option(
    "--only",
    metavar="PATTERN",
    help="Only checks whose name holds PATTERN (`facts/`, `tls`, `synapse/`), or matches it when it has a * or ?.",
)
@click.option(
    "--junit",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the findings to FILE as JUnit XML.",
)
@click.option("--verbose", "-v", is_flag=True, help="Also a line per check that passed.")
@common_options
def command(name: str, only: str | None, junit: Path | None, verbose: bool, settings: Settings) -> None:
    """Check the deployed suite of inventory NAME: facts on its hosts, then journeys of its users.

    Changes nothing but what a user leaves behind. Exit 3 when a check fails, and when nothing was looked at.
    """
    from .. import pipeline
    from ..errors import FoundFailures
    from ..model.loader import load
    from ..report.console import Stages
    from ..secrets.ensure import include_stack_secrets, open_store
    from ..verify import run_verify

    deployment = load(name)
    stages = Stages(quiet=settings.quiet)
    session = pipeline.Session(deployment, settings, stages)
    pipeline.need_state(session, "verify")
    outputs = pipeline.existing_outputs(session)
    if outputs is None:
        raise FoundFailures(f"{deployment.suite.suite} does not exist. Make it: suite-deploy up {deployment.given}")
    deployment = deployment.without(pipeline.known_skips(deployment))
    store = open_store(deployment, settings.vault_password_file)
    include_stack_secrets(store, deployment)
    try:
        with stages.stage("verification") as progress:
            result = run_verify(deployment, outputs, store, session.state, only=only, junit=junit, progress=progress)
    finally:
        from ..runners.ssh import close_connections

        close_connections(session.state, [host.name for host in deployment.hosts])
    click.echo(json.dumps(result.as_json(), indent=2) if settings.json else result.as_text(verbose=verbose))
    if not result.findings and only:
        raise FoundFailures(f"no check matches {only!r}: nothing was looked at")
    if not result.ok:
        raise FoundFailures(f"{result.failed} checks failed" if result.failed else "nothing was looked at")
