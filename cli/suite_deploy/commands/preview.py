# SPDX-License-Identifier: MIT
"""`suite-deploy preview NAME`: what `up` would do; reads only."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..model.statefiles import INSTALLED
from ..settings import Settings, common_options

if TYPE_CHECKING:
    from ..cloud.decision import Decision
    from ..render.tree import RenderedTree


#: lines of one kind that are shown one by one
FOLD = 8


@click.command("preview")
@click.argument("name")
@click.option("--diff", is_flag=True, help="Show how each file differs from what was last installed; secrets masked.")
@click.option("--exit-code", is_flag=True, help="Exit 3 when something would change.")
@common_options
def command(name: str, diff: bool, exit_code: bool, settings: Settings) -> None:
    """Show what `up` would create, change and install for inventory NAME. Changes no host and nothing in a cloud."""
    from .. import pipeline
    from ..drivers import driver_for
    from ..errors import EXIT_FOUND_FAILURES, FoundFailures
    from ..model.loader import load
    from ..model.outputs import OnCloud
    from ..render.inventory import addresses
    from ..render.render import render
    from ..report.console import Stages

    deployment = load(name)
    _, verdict = pipeline.judge(deployment)
    if verdict.blocking:
        pipeline.show_verdict(verdict, settings)
        raise FoundFailures("nothing would be created: the policies refuse this inventory")
    pipeline.refuse_what_is_missing(deployment)
    # Not before: what it takes along opens a socket as it loads, and a refused inventory opens none.
    from ..images.resolve import resolve_locked

    pinned = resolve_locked(deployment)
    pipeline.need_state(pipeline.Session(deployment, settings, Stages(quiet=True)), "preview")
    driver = driver_for(deployment, settings.vault_password_file)
    items = driver.preview()
    decision = driver.decide() if isinstance(driver, OnCloud) else None
    items = decision.items if decision else items
    outputs = driver.outputs()
    skipped = pipeline.known_skips(deployment)
    deployment = deployment.without(skipped)
    images = pinned or pipeline.known_images(deployment)
    tree = render(deployment, addresses(outputs) if outputs else None, images)
    files = compare(tree, deployment.state_dir / INSTALLED)
    changes = any(item.action != "keep" for item in items) or any(item["action"] != "keep" for item in files)
    if settings.json:
        plan = [vars(item) for item in items]
        document = {"infrastructure": plan, "files": files, "skipped": skipped}
        click.echo(json.dumps(document | ({"decision": decision.as_json()} if decision else {}), indent=2))
    else:
        for note in driver.notes if isinstance(driver, OnCloud) else ():
            click.echo(f"note: {note}", err=True)
        click.echo(_text(items, files, skipped, diff, decision))
    if exit_code and changes:
        raise click.exceptions.Exit(EXIT_FOUND_FAILURES)


def compare(tree: RenderedTree, installed: Path) -> list[dict[str, Any]]:
    """Each rendered file against the tree last installed: action, host, path, component and a unified diff.

    Both sides hold placeholders instead of secrets.
    """
    import difflib

    result = []
    wanted = {item.build_path: item for item in tree.files}
    for build_path, item in sorted(wanted.items()):
        old = _read(installed / build_path)
        action = "create" if old is None else "keep" if old == item.content else "change"
        lines = difflib.unified_diff(
            (old or "").splitlines(),
            item.content.splitlines(),
            f"installed {item.path}",
            f"wanted {item.path}",
            lineterm="",
        )
        result.append(
            {
                "action": action,
                "host": item.host,
                "path": item.path,
                "component": item.component,
                "mode": item.mode,
                "diff": list(lines) if action != "keep" else [],
            }
        )
    for path in sorted(installed.rglob("*")) if installed.is_dir() else []:
        build_path = str(path.relative_to(installed))
        if path.is_file() and build_path not in wanted and path.name != "manifest.json":
            host, _, rest = build_path.partition("/")
            removed = [f"-{line}" for line in (_read(path) or "").splitlines()]
            result.append(
                {"action": "remove", "host": host, "path": f"/{rest}", "component": "", "mode": "", "diff": removed}
            )
    return result


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _folded(items: list[Any]) -> list[tuple[str, str, str, str]]:
    """Lines of the plan. Many of a kind of which there is nothing to say become one: a cloud has dozens of rules."""
    plain = Counter((item.action, item.kind) for item in items if not item.detail)
    rows: list[tuple[str, str, str, str]] = []
    folded = set()
    for item in items:
        kind = (item.action, item.kind)
        if item.detail or plain[kind] <= FOLD:
            rows.append((*kind, item.name, item.detail))
        elif kind not in folded:
            folded.add(kind)
            rows.append((*kind, f"{plain[kind]} like {item.name}", "every one: --format json"))
    return rows


def _text(
    items: list[Any],
    files: list[dict[str, Any]],
    skipped: dict[str, str],
    diff: bool,
    decision: Decision | None = None,
) -> str:
    from ..report.console import table

    parts = [decision.as_text(), ""] if decision else []
    # A cloud has a hundred small things: those that stay are in the count above.
    listed = [item for item in items if decision is None or item.action != "keep"]
    parts.append("Infrastructure" if listed else "Infrastructure: nothing would change")
    if listed:
        parts.append(table(("", "kind", "name", "detail"), _folded(listed)))
    changed = [item for item in files if item["action"] != "keep"]
    kept = len(files) - len(changed)
    parts += ["", f"Files: {len(changed)} differ from what was last installed, {kept} do not"]
    if changed:
        rows = [(item["action"], item["host"], item["path"], item["mode"]) for item in changed]
        parts.append(table(("", "host", "path", "mode"), rows))
    if diff:
        for item in changed:
            parts += ["", *item["diff"]]
    if skipped:
        parts += ["", "SKIPPED, would not be deployed:"]
        parts += [f"  {slug}: {reason}" for slug, reason in sorted(skipped.items())]
    return "\n".join(parts)
