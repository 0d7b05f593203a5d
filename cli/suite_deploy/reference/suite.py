# SPDX-License-Identifier: MIT
"""docs/reference/suite.md: every key of an inventory's suite.yml."""

from __future__ import annotations

from ..model import unsupported
from ..model.components import describe, slugs
from ..model.suite import SuiteFile
from ..model.yamlfile import dotted
from .markdown import key_sections, table

_INTRO = """\
# suite.yml

One file says what is wanted: `inventories/<name>/suite.yml`, or any path given to a command. A key that is not listed
here is an error that names the nearest one. `suite-deploy check NAME --explain KEY` says what a key holds and where
that comes from. Editors complete and check the file with
[schemas/suite.schema.json](../../schemas/suite.schema.json); see [schemas](schemas.md).

## Building on another file

    extends: ../base/suite.yml        # a path from this file, or builtin:NAME for an inventory that is shipped

What stands here is laid over that file: maps merge, lists and values replace, `null` removes. `infrastructure` replaces
as a whole when its `driver` differs. `extends` may be chained; a cycle is an error.

## What can never change

`domain`, the host names of components, the options marked *immutable* in their pages and the locale of their databases
are recorded at the first `up`. Changing one later is refused, with the reason."""


def page() -> str:
    """The text of the page."""
    parts = [_INTRO, "## Accepted and judged, not deployed by this version", _later(), "## Keys"]
    parts += key_sections(SuiteFile)
    parts += ["## `components.NAME`", _components()]
    return "\n\n".join(parts) + "\n"


def _later() -> str:
    rows = [(f"`{dotted(path)}`", what.strip(",")) for path, _, what in unsupported._MISSING]
    return "`check` judges these; `preview` and `up` refuse an inventory that asks for one (exit code 2).\n\n" + table(
        ("Key", "What is not there yet"), rows
    )


def _components() -> str:
    rows = []
    for slug in slugs():
        description = describe(slug)
        rows.append((f"[`{slug}`]({slug}.md)", description.title, f"`{description.placement}`"))
    text = (
        "What is deployed. Each takes its own options, and two that all of them have: `host`, the host it runs on (by"
        " default the first of its group), and `hostname`, its public name."
    )
    return f"{text}\n\n{table(('Name', 'Component', 'Runs on the group'), rows)}"
