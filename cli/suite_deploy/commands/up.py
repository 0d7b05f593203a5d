# SPDX-License-Identifier: MIT
"""`suite-deploy up NAME`: from an inventory to a verified suite; the second run changes nothing."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from ..model.statefiles import AUTHORITY
from ..settings import Settings, common_options

if TYPE_CHECKING:
    from ..model.outputs import StackOutputs
    from ..pipeline import Session
    from ..verify import VerifyResult


#: what comes after a suite is up: command → what it is for
NEXT = {
    "status": "what runs where",
    "verify": "check it again",
    "secrets list": "the names of its passwords; `secrets show` shows one",
    "destroy": "remove it; data stays unless --with-data",
}


@click.command("up")
@click.argument("name")
@click.option("--skip-verify", is_flag=True, help="Do not verify afterwards.")
@click.option(
    "--release",
    multiple=True,
    metavar="RESOURCE",
    help="Let go of a volume or bucket that the inventory no longer wants; it stays in the cloud. As the refusal names"
    " it, like `volume-data-1-postgresql`; can be repeated.",
)
@common_options
def command(name: str, skip_verify: bool, release: tuple[str, ...], settings: Settings) -> None:
    """Deploy the suite of inventory NAME, or bring it back to the wanted state, and verify it.

    Can be interrupted anywhere and run again. With a blocking policy finding nothing is created (exit 3).
    """
    from .. import pipeline
    from ..errors import FoundFailures
    from ..images.lock import require_pins
    from ..model.loader import load
    from ..report.console import Stages

    deployment = load(name)
    stages = Stages(quiet=settings.quiet)
    session = pipeline.Session(deployment, settings, stages)
    with stages.stage("policies"):
        _, verdict = pipeline.judge(deployment)
    allowed, frozen = pipeline.allows(verdict, deployment)
    if not allowed or frozen:
        pipeline.show_verdict(verdict, settings)
    if not allowed:
        raise FoundFailures("nothing was created: the policies refuse this inventory")
    pipeline.refuse_what_is_missing(deployment)
    require_pins(deployment)
    with session.locked("up"):
        with stages.stage("secrets"):
            store = pipeline.open_secrets(session)
        try:
            with stages.stage("hosts") as progress:
                outputs = pipeline.infrastructure(session, progress, frozen, release)
        finally:
            # Whatever fails later: nothing else remembers their ids.
            for line in session.let_go:
                click.echo(line, err=True)
        with stages.stage("images") as progress:
            images = pipeline.resolve_images(session, outputs, progress)
        with stages.stage("configuration"):
            tree, verdict = pipeline.configure(session, outputs, images, frozen)
        with stages.stage("roles") as progress:
            converged = pipeline.converge_hosts(session, tree, store, progress)
        result = None
        if not skip_verify:
            from ..verify import run_verify

            with stages.stage("verification") as progress:
                result = run_verify(session.deployment, outputs, store, session.state, progress=progress)
        summary = _summary(session, outputs, converged.changes, converged.changed, result)
        summary |= {
            "images": images,
            "finished": datetime.now().astimezone().isoformat(sep=" ", timespec="seconds"),
            "infrastructure_digest": verdict.infrastructure_digest,
        }
        pipeline.record_run(session, summary)
    if result is not None and not result.ok and not settings.json:
        click.echo(result.as_text())
    click.echo(json.dumps(summary, indent=2) if settings.json else _text(summary, deployment.given))
    if result is not None and not result.ok:
        raise FoundFailures("the suite is up, but verification found failures; see above")


def _summary(
    session: Session, outputs: StackOutputs, changes: int, changed: dict[str, list[str]], result: VerifyResult | None
) -> dict[str, Any]:
    from ..images.lock import origins
    from ..report.dns import records_to_publish

    deployment = session.deployment
    images = origins(deployment)
    components = [
        {
            "component": item.slug,
            "title": item.description.title,
            "version": next(iter(item.description.images.values())).tag,
            "host": item.host,
            "url": item.url,
            "image": images.get(item.slug),
        }
        for item in deployment.ordered
    ]
    return {
        "suite": deployment.suite.suite,
        "inventory": deployment.name,
        "domain": deployment.domain,
        "hosts": [{"name": host.name, "address": host.address, "groups": list(host.groups)} for host in outputs.hosts],
        "components": components,
        "skipped": [{"component": slug, "reason": reason} for slug, reason in sorted(session.skipped.items())],
        "changed": changes,
        "changed_tasks": changed,
        "seconds": {name: round(seconds, 1) for name, seconds in session.stages.seconds.items()},
        "verification": _verification(result) if result else None,
        "released": session.let_go,
        "links": {"portal": f"https://{deployment.domain}/"},
        "publish": _documents_to_publish(session),
        "dns_records": records_to_publish(outputs),
        "ca": str(session.state / AUTHORITY) if deployment.suite.tls.issuer == "internal-ca" else None,
        "profile": deployment.suite.profile,
    }


def _verification(result: VerifyResult) -> dict[str, Any]:
    """The counts, and every finding that did not pass."""
    report = result.as_json()
    return report | {"findings": [finding for finding in report["findings"] if finding["status"] != "passed"]}


def _documents_to_publish(session: Session) -> list[str]:
    """Documents other servers look for on names this suite does not serve."""
    deployment = session.deployment
    return [
        f"https://{component.options['server_name']}{route.path}"
        for component in deployment.ordered
        for route in component.description.routes
        if route.host == "domain" and component.options.get("server_name", deployment.domain) != deployment.domain
    ]


def _text(summary: dict[str, Any], given: str) -> str:
    """given: how the operator named the inventory, for the next commands to type."""
    from ..report.console import stage_table, table
    from ..report.dns import records_text

    rows = [(item["title"], item["version"], item["host"], item["url"] or "") for item in summary["components"]]
    parts = ["", table(("component", "version", "host", "address"), rows)]
    if summary["skipped"]:
        parts += ["", "SKIPPED, not deployed:"]
        parts += [f"  {item['component']}: {item['reason']}" for item in summary["skipped"]]
    doubles = [item["component"] for item in summary["components"] if item["image"] == "double"]
    if doubles:
        parts += ["", f"TEST DOUBLES, NOT THE APPLICATIONS: {', '.join(doubles)}"]
    parts += ["", stage_table(summary["seconds"])]
    verification = summary["verification"]
    checked = "not verified"
    if verification:
        checked = ", ".join(f"{verification[what]} {what}" for what in ("passed", "failed", "skipped"))
    parts += ["", f"changed: {summary['changed']}   verification: {checked}"]
    if summary["released"]:
        parts += ["", *summary["released"]]
    if summary["dns_records"]:
        parts += ["", records_text(summary["dns_records"])]
    if summary["publish"]:
        parts += ["", "Publish these documents where the server's name is served (their content: see `preview`):"]
        parts += [f"  {url}" for url in summary["publish"]]
    parts += ["", f"Portal: {summary['links']['portal']}"]
    if summary["ca"]:
        parts.append(f"Its certificates are signed by the suite's own authority: {summary['ca']}")
    words = max(map(len, NEXT))
    parts += ["", "Next:"]
    parts += [f"  suite-deploy {f'{word} {given}':<{words + 1 + len(given)}}   {what}" for word, what in NEXT.items()]
    return "\n".join(parts)
