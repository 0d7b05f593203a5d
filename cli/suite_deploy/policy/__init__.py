# SPDX-License-Identifier: MIT
"""Policies: refuse before anything is created, and prove why. Importing this package loads nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..model.deployment import Deployment
    from ..render.tree import RenderedTree
    from .findings import Verdict


def judge(
    deployment: Deployment,
    rendered_tree: RenderedTree | None,
    *,
    on: date | str | None = None,
    ambient: Mapping[str, str],
) -> Verdict:
    """Judge a deployment and what was rendered from it. Starts no process, opens no socket, writes nothing.

    on: the day judged (YYYY-MM-DD as text); today in Europe/Paris when None. ambient: what collect_ambient() found.
    Raises InvalidInput when the register, a fork's rules or the waivers file cannot be used.
    """
    from .judging import judge_deployment

    return judge_deployment(deployment, rendered_tree, on=on, ambient=ambient)


def collect_ambient(environ: Mapping[str, str], home: Path, directory: Path | None = None) -> dict[str, str]:
    """Settings that tools would pick up behind the inventory's back; see ambient.collect_ambient.

    directory: where the command was started, this process's own when None.
    """
    from .ambient import collect_ambient as collect

    return collect(environ, home, directory or Path.cwd())


def load_judged(inventory: str) -> Deployment:
    """Load an inventory, judge it with this process's environment, and return it only when nothing blocks.

    For programs that the engine starts by hand, around which no `up` stands. Raises InvalidInput, and FoundFailures
    with the whole report.
    """
    import os

    from ..errors import FoundFailures
    from ..model.loader import load
    from ..render.render import render
    from ..report.findings import render_text

    deployment = load(inventory)
    verdict = judge(deployment, render(deployment), ambient=collect_ambient(os.environ, Path.home(), Path.cwd()))
    if verdict.blocking:
        raise FoundFailures(render_text(verdict))
    return deployment
