# SPDX-License-Identifier: MIT
"""`suite-deploy images`: build recipes, pin an inventory's images, copy them to a mirror, list what they are."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from ..settings import Settings, common_options

if TYPE_CHECKING:
    from ..images.lock import Pin
    from ..images.recipe import Recipe
    from ..model.deployment import Deployment


@click.group("images")
def command() -> None:
    """Lock, mirror, build and list container images."""


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
        click.echo(f"{row['component']:<16} {row['image']:<48} {row['from']:<24} {digest:<71} {age}".rstrip())


@command.command("lock")
@click.argument("name")
@click.option("--upstream", is_flag=True, help="Ask the upstream registries although `images.mirror` is set.")
@common_options
def lock(name: str, upstream: bool, settings: Settings) -> None:
    """Ask the registries which digest each image of inventory NAME has now, and pin it in images.lock.yml.

    With `images.mirror`, the mirror is asked. Nothing is written unless every image was found.
    """
    from dataclasses import asdict

    from ..images.lock import used_images
    from ..images.locking import lock_images
    from ..report.console import Stages

    deployment = _with_lock_of_its_own(name)
    with Stages(quiet=settings.quiet).stage("images lock") as progress:
        mirror = None if upstream else deployment.suite.images.mirror
        changes = lock_images(used_images(deployment), deployment.images_lock, mirror, progress)
    if settings.json:
        done = {"lock": str(deployment.images_lock), "images": [asdict(item) for item in changes]}
        click.echo(json.dumps(done, indent=2))
        return
    for item in changes:
        if item.change != "unchanged":
            arrow = f"{item.before} → {item.digest}" if item.change == "changed" else item.digest or item.before
            click.echo(f"{item.change:<8} {item.image}  {arrow}")
    pinned = sum(item.change != "dropped" for item in changes)
    click.echo(f"{pinned} images are pinned in {deployment.images_lock}")


@command.command("mirror")
@click.argument("name")
@click.option("--to", "to", required=True, metavar="REGISTRY[/PATH]", help="Where the copies go: host[:port][/path].")
@common_options
def mirror(name: str, to: str, settings: Settings) -> None:
    """Copy every image that inventory NAME pins to a registry of your own, by digest and for every architecture.

    What is there already is not copied again: an interrupted run is continued by the same command.
    """
    from ..images.lock import used_images
    from ..images.locking import mirror_images
    from ..report.console import Stages

    to = _registry(to)
    deployment = _with_lock_of_its_own(name)
    used = deployment.suite.images.mirror
    with Stages(quiet=settings.quiet).stage("images mirror") as progress:
        images, copied = mirror_images(
            used_images(deployment),
            deployment.images_lock,
            used if used != to else None,
            to,
            progress,
            lock_command=f"suite-deploy images lock {name}",
        )
    if settings.json:
        click.echo(json.dumps({"mirror": to, "images": images, "copied": copied, "used": used == to}, indent=2))
        return
    click.echo(f"{images} images are in {to}, {copied} of them copied now")
    if used != to:
        click.echo(f"To deploy from there, set in {deployment.files[0]}:\n  images:\n    mirror: {to}")


def _registry(value: str) -> str:
    """A registry as `images.mirror` takes it; raises UsageError for anything else."""
    from pydantic import ValidationError

    from ..model.suite import Images
    from ..model.values import without_login

    try:
        return str(Images(mirror=value.rstrip("/")).mirror)
    except ValidationError as error:
        found = f"{without_login(value)!r} is no host[:port][/path] in lower case, without a user"
        raise click.BadParameter(found, param_hint="--to") from error


def _with_lock_of_its_own(name: str) -> Deployment:
    """The deployment of an inventory whose lock its operator keeps."""
    from ..model.loader import load

    deployment = load(name)
    if deployment.is_local:
        raise click.UsageError(f"hosts of {name} are made on this machine: `up` pins their images itself")
    return deployment


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
                    "from": _source(reference, pin),
                    "digest": pin.digest if pin else None,
                    "resolved": pin.resolved.isoformat() if pin else None,
                }
            )
    return rows


def _source(reference: str, pin: Pin | None) -> str:
    """Where an image came from, in a word: the registry that gave it, a recipe, or a double in capitals."""
    from ..images.registry import host_of

    if pin is None:
        return "not pinned"
    if pin.origin == "registry":
        return pin.mirror or host_of(reference)
    return "TEST DOUBLE" if pin.origin == "double" else pin.origin


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
                "from": "recipe" if digest else "not built",
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
