# SPDX-License-Identifier: MIT
"""`suite-deploy images`: build recipes into the machine's cache, pin an inventory's images, list what they are."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from ..settings import Settings, common_options

if TYPE_CHECKING:
    from ..images.recipe import Recipe


@click.group("images")
def command() -> None:
    """Lock, build and list container images."""


@command.command("build")
@click.argument("components", nargs=-1, metavar="[COMPONENT]...")
@click.option("--refresh", is_flag=True, help="Build anew with the packages' current versions, whatever is cached.")
@common_options
def build(components: tuple[str, ...], refresh: bool, settings: Settings) -> None:
    """Build the images of COMPONENTs from their recipes (of all components that have one, when none is named).

    An image that is in the machine's cache already is not built again.
    """
    from ..images.builder import build as build_recipe
    from ..images.builder import is_built, required_packages
    from ..images.packages import install
    from ..images.recipe import find_recipes
    from ..images.resolve import CACHE
    from ..images.store import Store
    from ..paths import machine_cache, resource_root
    from ..report.console import Stages
    from ..runners.elevate import become_root

    chosen = _choose(find_recipes(resource_root() / "roles"), components)
    become_root("images build: filling the image cache of this machine")
    store = Store(machine_cache() / CACHE)
    stages = Stages(quiet=settings.quiet)
    results: list[dict[str, Any]] = []
    for component, recipe in chosen.items():
        with stages.stage(f"image {component}") as progress:
            if refresh or is_built(store, recipe) is None:
                install(required_packages(recipe), progress)
            built = build_recipe(store, recipe, progress, refresh=refresh)
        results.append(
            {
                "component": component,
                "image": built.reference,
                "digest": built.digest,
                "built": built.built,
                "seconds": built.seconds,
            }
        )
    if settings.json:
        click.echo(json.dumps({"images": results}, indent=2))
        return
    for item in results:
        how = f"built in {item['seconds']:.0f} s" if item["seconds"] else f"cached, built {_age(item['built'])}"
        click.echo(f"{item['image']}@{item['digest']}  {how}")


@command.command("list")
@click.argument("name", required=False)
@common_options
def list_(name: str | None, settings: Settings) -> None:
    """List images: what those of inventory NAME are pinned to, from where and how old; without NAME, the recipes."""
    rows = _pins(name) if name else _recipes()
    if settings.json:
        click.echo(json.dumps({"images": rows}, indent=2))
        return
    for row in rows:
        digest = str(row["digest"] or "-")
        age = _age(row["resolved"]) if row["resolved"] else ""
        click.echo(f"{row['component']:<16} {row['image']:<48} {row['origin']:<10} {digest:<71} {age}".rstrip())


@command.command("lock")
@click.argument("name")
@common_options
def lock(name: str, settings: Settings) -> None:
    """Ask the registries which digest each image of inventory NAME has now, and pin it in images.lock.yml.

    Nothing is written unless every image was found.
    """
    from ..errors import CouldNotRun
    from ..images.lock import Pin, now, read_lock, write_lock
    from ..images.registry import upstream_digest
    from ..model.loader import load
    from ..report.console import Stages

    deployment = load(name)
    if deployment.is_local:
        raise click.UsageError(f"hosts of {name} are made on this machine: `up` pins their images itself")
    wanted = [image for component in deployment.ordered for image in component.description.images.values()]
    pins, failures = read_lock(deployment.images_lock), []
    with Stages(quiet=settings.quiet).stage("images lock") as progress:
        for image in wanted:
            progress(f"{image.name}:{image.tag}")
            try:
                digest = upstream_digest(image.name, image.tag)
            except CouldNotRun as error:
                failures.append(f"{image.name}:{image.tag}: {str(error).splitlines()[-1].strip()}")
                continue
            pins[f"{image.name}:{image.tag}"] = Pin(digest=digest, origin="registry", resolved=now())
    if failures:
        raise CouldNotRun("\n".join([f"{deployment.images_lock}: unchanged, these images were not found:", *failures]))
    write_lock(deployment.images_lock, pins)
    click.echo(f"{len(wanted)} images are pinned in {deployment.images_lock}")


def _pins(name: str) -> list[dict[str, Any]]:
    """One row per image that the inventory's components use."""
    from .. import pipeline
    from ..images.lock import read_lock
    from ..model.loader import load
    from ..report.console import Stages

    deployment = load(name)
    pipeline.need_state(pipeline.Session(deployment, Settings(), Stages(quiet=True)), "images list")
    pins = read_lock(deployment.images_lock)
    rows = []
    for component in deployment.ordered:
        for image in component.description.images.values():
            reference = f"{image.name}:{image.tag}"
            pin = pins.get(reference)
            rows.append(
                {
                    "component": component.slug,
                    "image": reference,
                    "origin": pin.origin if pin else "not pinned",
                    "digest": pin.digest if pin else None,
                    "resolved": pin.resolved.isoformat() if pin else None,
                }
            )
    return rows


def _recipes() -> list[dict[str, Any]]:
    """One row per recipe, with what this machine's cache holds of it."""
    from ..images.recipe import find_recipes
    from ..images.resolve import CACHE
    from ..images.store import Store
    from ..paths import machine_cache, resource_root

    store = Store(machine_cache() / CACHE)
    rows = []
    for component, recipe in find_recipes(resource_root() / "roles").items():
        digest = store.image_of(recipe.key)
        record = store.recipe_record(recipe.key) if digest else None
        rows.append(
            {
                "component": component,
                "image": recipe.reference,
                "origin": "recipe" if digest else "not built",
                "digest": digest,
                "resolved": record["built"] if record else None,
            }
        )
    return rows


def _choose(recipes: dict[str, Recipe], wanted: tuple[str, ...]) -> dict[str, Recipe]:
    from ..errors import InvalidInput, Problem

    unknown = [name for name in wanted if name not in recipes]
    if unknown:
        accepted = f"Components with a recipe: {', '.join(recipes) or 'none'}."
        raise InvalidInput([Problem("images build", 0, name, "has no image recipe.", accepted) for name in unknown])
    return {name: recipes[name] for name in (wanted or recipes)}


def _age(written: str) -> str:
    """How long ago, in the largest unit that says something."""
    seconds = max((datetime.now(UTC) - datetime.fromisoformat(written)).total_seconds(), 0)
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count != 1 else ''} ago"
    return "just now"
