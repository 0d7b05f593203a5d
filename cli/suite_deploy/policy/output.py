# SPDX-License-Identifier: MIT
"""Reports of a verdict: on stdout in one format, and files beside it."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import CouldNotRun
from .evidence import write
from .findings import Verdict


def write_reports(
    verdict: Verdict, *, format: str = "text", junit: str | Path | None = None, evidence: str | Path | None = None
) -> None:
    """Print the report as text, json or junit; write JUnit and evidence files where asked. Raises CouldNotRun."""
    from ..report.findings import render

    click.echo(render(verdict, format), nl=False)
    try:
        if junit:
            Path(junit).write_text(render(verdict, "junit"), encoding="utf-8")
        if evidence:
            write(verdict.evidence, Path(evidence))
    except OSError as error:
        raise CouldNotRun(f"{error.filename}: cannot be written: {error.strerror}") from error
