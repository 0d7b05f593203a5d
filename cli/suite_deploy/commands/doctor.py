# SPDX-License-Identifier: MIT
"""`suite-deploy doctor [NAME]`: what this machine has and lacks to deploy, and getting what is missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from ..settings import Settings, common_options

if TYPE_CHECKING:
    from ..cloud.check import Check


@click.command("doctor")
@click.argument("name", required=False)
@click.option("--fix", "repair", is_flag=True, help="Get what is missing: packages, the pinned engine, its plugins.")
@click.option("--unlock", is_flag=True, help="Remove the lock a killed run left on the engine's state of NAME.")
@common_options
def command(name: str | None, repair: bool, unlock: bool, settings: Settings) -> None:
    """Look at what inventory NAME needs of this machine; without NAME, at what any inventory could need.

    Engine, plugins, Python packages, Ansible, SSH key, secrets and credentials (never their values), the way to the
    cloud, sign-in and region. An engine on PATH is preferred to this product's own. Exit 3 when something stands in
    the way.
    """
    from ..cloud.doctor import examine
    from ..cloud.installing import fix
    from ..errors import FoundFailures
    from ..model.loader import load
    from ..report.console import Stages

    if unlock and not name:
        raise click.UsageError("--unlock needs the NAME of an inventory")
    deployment = load(name) if name else None
    stages = Stages(quiet=settings.quiet)
    if unlock and deployment is not None:
        from ..drivers import driver_for
        from ..model.outputs import OnCloud
        from ..pipeline import Session

        driver = driver_for(deployment, settings.vault_password_file)
        if not isinstance(driver, OnCloud):
            raise click.UsageError(f"the driver {deployment.driver} uses no engine: there is nothing to unlock")
        # Whoever works on this machine holds the suite's own lock: theirs is no lock left behind.
        with Session(deployment, settings, stages).locked("doctor --unlock"):
            driver.unlock()
        click.echo("the engine's state is unlocked", err=True)
    if repair:
        with stages.stage("getting what is missing") as progress:
            fix(deployment, progress)
    checks = examine(deployment, settings.vault_password_file)
    bad = [check for check in checks if check.bad]
    if settings.json:
        document = {"inventory": name, "ok": not bad, "checks": [vars(check) for check in checks]}
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(_text(checks))
    if bad:
        raise FoundFailures(f"{len(bad)} of {len(checks)} things stand in the way")


def _text(checks: list[Check]) -> str:
    from ..report.console import table

    lines = [table(("", "what", "found"), [(check.status, check.name, check.found) for check in checks])]
    steps = [f"  {check.name}: {check.next_step}" for check in checks if check.next_step and check.status != "ok"]
    return "\n".join([*lines, *(["", "How to get what is not there:", *steps] if steps else [])])
