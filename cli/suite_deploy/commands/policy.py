# SPDX-License-Identifier: MIT
"""`suite-deploy policy`: what is qualified until when, what the rules are, and what they say of what exists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..settings import Settings, common_options

if TYPE_CHECKING:
    from ..policy.rule import Rule


@click.group("policy")
def command() -> None:
    """Explain the policies and re-check what was deployed."""


@command.command("register")
@click.option("--all", "everything", is_flag=True, help="Offers that hold no label too.")
@click.option("--on", metavar="DATE", help="As if it were that day (YYYY-MM-DD).")
@click.option("--inventory", "name", help="The register that this inventory is judged by, when it supplies one.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of a register file, and nothing else.")
@click.option("--export", type=click.Path(dir_okay=False, path_type=Path), help="Write the whole register as one file.")
@common_options
def register(
    everything: bool, on: str | None, name: str | None, schema: bool, export: Path | None, settings: Settings
) -> None:
    """List qualified offers with their regions, what ends when, and how old the register is."""
    from ..policy.clock import day_of
    from ..policy.register import builtin
    from ..policy.register_report import export_text, rows, schema_text, text

    if schema:
        click.echo(schema_text(), nl=False)
        return
    found, day = builtin(), day_of(on)
    if name:
        from ..model.loader import load
        from ..policy.judging import register_of

        found = register_of(load(name))
    if export:
        from ..errors import CouldNotRun, InvalidInput, Problem

        try:
            # never over what somebody has edited, and its hash is declared in suite.yml
            with export.open("x", encoding="utf-8") as file:
                file.write(export_text(found))
        except FileExistsError as error:
            step = "Name another file, or remove that one first."
            raise InvalidInput(
                [Problem(str(export), 0, "", "is there already, and was left as it is.", "", step)]
            ) from error
        except OSError as error:
            raise CouldNotRun(f"{export}: cannot be written: {error.strerror}") from error
        click.echo(f"{export}: edit it, then declare it with `register: {{file, sha256}}`", err=True)
        return
    if settings.json:
        document = {
            "schema": 1,
            "as_of": found.as_of.isoformat(),
            "checked_on": found.data.checked_on.isoformat(),
            "age_days": found.age(day),
            "digest": found.digest,
            "offers": rows(found, day, everything=everything),
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        click.echo(text(found, day, everything=everything), nl=False)


@command.command("list")
@click.argument("name", required=False)
@common_options
def list_(name: str | None, settings: Settings) -> None:
    """List the rules with their levels; with NAME, those of that inventory, a fork's own among them."""
    from ..policy import ruleset

    directory, profile = _where(name)
    found = ruleset.load(directory, profile=profile)
    if settings.json:
        click.echo(json.dumps({"schema": 1, "rules": [_rule(rule) for rule in found.rules]}, indent=2))
        return
    for rule in found.rules:
        levels = " ".join(f"{key}:{level.value}" for key, level in rule.metadata.levels.items())
        click.echo(f"{rule.id}  {rule.metadata.title}\n         {levels}")


@command.command("explain")
@click.argument("rule_id", metavar="RULE")
@click.option("--inventory", "name", help="To explain a rule that a fork added beside that inventory.")
def explain(rule_id: str, name: str | None) -> None:
    """Say what RULE judges, why, and what to do, like `policy explain REG-001`."""
    from ..errors import InvalidInput, Problem
    from ..policy import ruleset
    from ..policy.docs import page

    directory, profile = _where(name)
    found = ruleset.load(directory, profile=profile)
    rule = found.by_id.get(rule_id.upper())
    if rule is None:
        raise InvalidInput([Problem(rule_id, 0, "", "no such rule.", f"Rules: {', '.join(sorted(found.by_id))}.")])
    click.echo(page(rule), nl=False)


@command.command("analyze")
@click.argument("name")
@click.option("--state", type=click.Path(dir_okay=False, path_type=Path), help="An exported state; the suite's own.")
@click.option("--on", metavar="DATE", help="As if it were that day (YYYY-MM-DD).")
@click.option("--junit", type=click.Path(dir_okay=False), help="Write the findings as JUnit XML too.")
@click.option("--evidence", type=click.Path(dir_okay=False), help="Write the evidence file there.")
@common_options
def analyze(
    name: str, state: Path | None, on: str | None, junit: str | None, evidence: str | None, settings: Settings
) -> None:
    """Judge what exists: inventory NAME and every resource of its engine's state. Exit 3 when a finding blocks.

    Asks no provider. Run it after each update of the register.
    """
    import os

    from ..cloud.engine import state_file
    from ..errors import CouldNotRun, FoundFailures
    from ..model.loader import load
    from ..model.suite import Cloud
    from ..policy import collect_ambient
    from ..policy.judging import judge_deployment
    from ..policy.output import write_reports
    from ..policy.state import read_state
    from ..render.render import render

    deployment = load(name)
    if state is None and not isinstance(deployment.suite.infrastructure, Cloud):
        raise CouldNotRun(f"the driver {deployment.driver} uses no engine: there is no state that could be judged.")
    path = state or state_file(deployment)
    by_hand = 'docs/operator/clouds.md, "The engine by hand"'
    step = f"Name an export of it with --state (`pulumi stack export --file FILE`: {by_hand})."
    if path is None:
        raise CouldNotRun(f"the engine's state is in the bucket of `state.s3`, and is not read from there. {step}")
    if not path.is_file():
        raise CouldNotRun(f"{path}: there is no state of an engine here. {step}")
    verdict = judge_deployment(
        deployment,
        render(deployment),
        on=on,
        ambient=collect_ambient(os.environ, Path.home()),
        resources=read_state(path),
    )
    write_reports(verdict, format=settings.format, junit=junit, evidence=evidence)
    if verdict.blocking:
        raise FoundFailures("the policies refuse what exists")


@command.command("test")
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
def test(folder: Path | None) -> None:
    """Run the cases of the rules in FOLDER (ours when none is named); for whoever writes rules of their own."""
    from ..errors import FoundFailures
    from ..policy import ruleset
    from ..policy.case_run import run_folder

    count, problems = run_folder(folder or ruleset.directory())
    for problem in problems:
        click.echo(problem)
    if problems:
        raise FoundFailures(f"{len(problems)} of {count} cases do not hold")
    click.echo(f"{count} cases hold")


@command.command("docs")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Change nothing; exit 3 when a page is not what would be written.")
def docs(folder: Path, check: bool) -> None:
    """Write the rules' documentation into FOLDER, one page each."""
    from ..errors import FoundFailures
    from ..policy.docs import stale, write_pages

    if not check:
        click.echo(f"{write_pages(folder)} pages in {folder}")
        return
    old = stale(folder)
    if old:
        raise FoundFailures(f"out of date: {', '.join(old)}. Write them anew: suite-deploy policy docs {folder}")


def _where(name: str | None) -> tuple[Path | None, str | None]:
    """Folder and profile of an inventory, when one is named."""
    if name is None:
        return None, None
    from ..model.inventory import read_inventory

    inventory = read_inventory(name)
    profile = inventory.data.get("profile")
    return inventory.directory, profile if isinstance(profile, str) else None


def _rule(rule: Rule) -> dict[str, Any]:
    metadata = rule.metadata.model_dump(mode="json")
    return {**metadata, "builtin": rule.builtin, "origin": rule.origin}
