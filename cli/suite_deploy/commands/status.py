# SPDX-License-Identifier: MIT
"""`suite-deploy status NAME`: what runs where, in which version, since when."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click

from ..settings import Settings, common_options

#: asked once per host: a line per unit, `name|active|sub|since|restarts|memory`
_PROPERTIES = "Id,ActiveState,SubState,ActiveEnterTimestamp,NRestarts,MemoryCurrent"


@click.command("status")
@click.argument("name")
@common_options
def command(name: str, settings: Settings) -> None:
    """Show the units of the suite of inventory NAME, their versions and what was skipped. Exit 3 when degraded."""
    from .. import pipeline
    from ..drivers import driver_for
    from ..errors import FoundFailures
    from ..model.loader import load
    from ..model.outputs import OnCloud
    from ..report.console import Stages

    deployment = load(name)
    session = pipeline.Session(deployment, settings, Stages(quiet=True))
    pipeline.need_state(session, "status")
    driver = driver_for(deployment, settings.vault_password_file)
    outputs, unfinished = driver.outputs(), isinstance(driver, OnCloud) and driver.unfinished
    if outputs is None and unfinished:
        message = f"{deployment.suite.suite} is there in part.\n"
        message += f"  Go on: suite-deploy up {deployment.given}\n  Remove it: suite-deploy destroy {deployment.given}"
        document = {"suite": deployment.suite.suite, "exists": False, "unfinished": True}
        click.echo(json.dumps(document) if settings.json else message)
        raise FoundFailures("the last `up` did not end")
    if outputs is None:
        message = f"{deployment.suite.suite} does not exist. Make it: suite-deploy up {deployment.given}"
        click.echo(json.dumps({"suite": deployment.suite.suite, "exists": False}) if settings.json else message)
        raise FoundFailures("nothing is deployed")
    record = pipeline.last_run(deployment.state_dir)
    skipped = {item["component"]: item["reason"] for item in record.get("skipped", [])}
    deployment = deployment.without(skipped)
    units = {host.name: _units(deployment, host.name) for host in outputs.hosts}
    try:
        with ThreadPoolExecutor(max_workers=max(len(units), 1)) as pool:
            answers = dict(
                zip(units, pool.map(lambda host: _ask(deployment.state_dir, host, units[host]), units), strict=True)
            )
    finally:
        from ..runners.ssh import close_connections

        close_connections(deployment.state_dir, units)
    rows = [row for host in units for row in answers[host]]
    bad = [row for row in rows if row["state"] != "active"]
    result = {
        "suite": deployment.suite.suite,
        "exists": True,
        "healthy": not bad and bool(record) and not unfinished,
        "units": rows,
        "skipped": skipped,
        "versions": {item["component"]: item["version"] for item in record.get("components", [])},
        "last_up": record.get("finished"),
        "unfinished": unfinished,
    }
    click.echo(json.dumps(result, indent=2) if settings.json else _text(result, record))
    if bad:
        raise FoundFailures(f"{len(bad)} of {len(rows)} units do not run")
    if not record or unfinished:
        raise FoundFailures(f"the last `up` did not end; run it again: suite-deploy up {deployment.given}")


def _units(deployment: Any, host: str) -> dict[str, str]:
    """Unit → what it belongs to, on one host."""
    plan = next(item for item in deployment.hosts if item.name == host)
    units: dict[str, str] = {}
    if "edge" in plan.groups:
        units["nginx.service"] = "edge"
    if "data" in plan.groups:
        units["postgresql@17-main.service"] = "database"
        for component in deployment.ordered:
            if component.description.needs.valkey:
                units[f"valkey-server@{component.slug}.service"] = f"cache of {component.description.title}"
    for component in deployment.ordered:
        if component.host == host:
            for service in component.description.services:
                units[f"{component.slug}-{service}.service"] = component.description.title
    return units


def _ask(state: Path, host: str, units: dict[str, str]) -> list[dict[str, Any]]:
    from ..errors import CouldNotRun
    from ..runners.ssh import on_host

    try:
        text = on_host(state, host, ["systemctl", "show", f"--property={_PROPERTIES}", *units], timeout=30)
    except CouldNotRun as error:
        reason = str(error).splitlines()[-1].strip()
        return [
            {"host": host, "unit": unit, "what": what, "state": "unknown", "detail": reason}
            for unit, what in units.items()
        ]
    rows = []
    for block in text.strip().split("\n\n"):
        facts = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        unit = facts.get("Id", "")
        memory = facts.get("MemoryCurrent", "")
        rows.append(
            {
                "host": host,
                "unit": unit,
                "what": units.get(unit, ""),
                "state": facts.get("ActiveState", "unknown"),
                "detail": facts.get("SubState", ""),
                "since": facts.get("ActiveEnterTimestamp", ""),
                "restarts": int(facts.get("NRestarts") or 0),
                "memory_bytes": int(memory) if memory.isdigit() and len(memory) < 15 else None,
            }
        )
    return rows


def _text(result: dict[str, Any], record: dict[str, Any]) -> str:
    from ..report.console import table

    rows = [
        (
            row["host"],
            row["what"],
            row["unit"],
            f"{row['state']} ({row['detail']})",
            row.get("since", ""),
            row.get("restarts", ""),
        )
        for row in result["units"]
    ]
    parts = [table(("host", "what", "unit", "state", "since", "restarts"), rows)]
    parts += ["", table(("component", "version"), list(result["versions"].items()))] if result["versions"] else []
    if result["skipped"]:
        parts += ["", "SKIPPED, not deployed:"]
        parts += [f"  {slug}: {reason}" for slug, reason in sorted(result["skipped"].items())]
    if record.get("finished"):
        parts += ["", f"Last `up`: {record['finished']}"]
    return "\n".join(parts)
