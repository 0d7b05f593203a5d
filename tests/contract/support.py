# SPDX-License-Identifier: MIT
"""What the contract tests of components share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from suite_deploy.model.deployment import Component, Deployment
from suite_deploy.model.loader import load
from suite_deploy.render.tree import RenderedTree

HERE = Path(__file__).parent


def deployment_of(folder: Path, components: dict[str, Any], **suite: Any) -> Deployment:
    """A suite of its own with these components, on one host unless `infrastructure` says otherwise."""
    content = {
        "schema": 1,
        "suite": "media",
        "domain": "media.example",
        "profile": "dev",
        "infrastructure": {"driver": "local", "hosts": {"all": {"groups": ["edge", "apps", "data", "media"]}}},
        "components": {"keycloak": {}, **components},
        **suite,
    }
    path = folder / "suite.yml"
    path.write_text(yaml.safe_dump(content))
    return load(str(path))


def with_options(deployment: Deployment, slug: str, **options: Any) -> Deployment:
    """The same deployment with some options of one component replaced."""
    item: Component = deployment.components[slug]
    changed = replace(item, options={**item.options, **options})
    return replace(deployment, components={**deployment.components, slug: changed})


def environments(tree: RenderedTree, slug: str) -> dict[str, dict[str, str]]:
    """The variables of each service and job of a component."""
    return {item.name: dict(item.env) for item in tree.services if item.component == slug}


def environment(tree: RenderedTree, slug: str, service: str) -> dict[str, str]:
    """The variables of one service."""
    return environments(tree, slug)[service]


def known(name: str) -> tuple[str, ...]:
    """A list of names that an upstream version reads, without its heading."""
    return tuple(line for line in (HERE / name).read_text().splitlines() if line and not line.startswith("#"))


def heading(name: str) -> str:
    """What a list says about where it was read."""
    return " ".join(line for line in (HERE / name).read_text().splitlines() if line.startswith("#"))


def unknown(names: Iterator[str], patterns: tuple[str, ...]) -> list[str]:
    """Names that no pattern covers."""
    return sorted({name for name in names if not any(fnmatchcase(name, pattern) for pattern in patterns)})


def dotted(value: Any, prefix: str = "") -> Iterator[str]:
    """Every key of a nested structure; lists do not count as a level."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{prefix}{key}"
            yield from dotted(inner, f"{prefix}{key}.")
    elif isinstance(value, list):
        for inner in value:
            yield from dotted(inner, prefix)


def at(value: Any, key: str) -> Any:
    """What stands at a dotted key. Raises KeyError where nothing does."""
    for part in key.split("."):
        value = value[part]
    return value
