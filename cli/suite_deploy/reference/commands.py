# SPDX-License-Identifier: MIT
"""docs/reference/cli.md: `--help` of every command, and what exit codes mean."""

from __future__ import annotations

from collections.abc import Iterator

import click

from .. import errors
from ..main import cli
from .markdown import table

WIDTH = 100
_CODES = {
    errors.EXIT_OK: "fine; on `local` also when a component was skipped and said so",
    errors.EXIT_COULD_NOT_RUN: "could not run: a tool, host or file stood in the way, or another run holds the lock",
    errors.EXIT_USAGE: "wrong usage, invalid inventory, missing secret or image pin, a feature not in this version",
    errors.EXIT_FOUND_FAILURES: "ran and found failures: a policy blocks, a check failed, a unit does not run; "
    "`preview --exit-code` with changes",
    errors.EXIT_INTERRUPTED: "interrupted (Ctrl-C or a stop signal); run the same command again",
}
_INTRO = """\
# Commands

`NAME` is a folder below `inventories/` where the command is started, an inventory that is shipped (`demo`), or a path
to a `suite.yml`. Results go to standard output, everything else to standard error; with `--format json` standard
output is one JSON document, or empty when the command ended before there was a result: standard error says why.

## Exit codes"""


def page() -> str:
    """The text of the page."""
    codes = table(("Code", "Meaning"), [(f"`{code}`", text) for code, text in _CODES.items()])
    parts = [_INTRO, codes]
    for path, help_text in help_texts():
        parts.append(f"## {path}\n\n```text\n{help_text}\n```")
    return "\n\n".join(parts) + "\n"


def help_texts() -> Iterator[tuple[str, str]]:
    """Every command in the order of `--help`: how it is called, and its help."""
    for path, command, context in walk(cli, context_of(cli, "suite-deploy")):
        yield path, command.get_help(context)


def walk(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command, click.Context]]:
    """A command and those below it, each with its own context."""
    yield context.command_path, command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None, f"{name} is listed and not there"
            yield from walk(inner, context_of(inner, name, context))


def context_of(command: click.Command, name: str, parent: click.Context | None = None) -> click.Context:
    """A context that shows help as a terminal of `WIDTH` columns does."""
    names = None if parent else cli.context_settings["help_option_names"]
    return click.Context(
        command, parent, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH, help_option_names=names
    )
