# SPDX-License-Identifier: MIT
"""The command line: verbs load when they are called, errors become exit codes here and nowhere else."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from suite_deploy import __version__

#: verb → (module:command, one line of help). Kept here so that `--help` imports no command.
COMMANDS = {
    "up": ("suite_deploy.commands.up:command", "Deploy a suite, or bring it back to the wanted state, and verify it."),
    "preview": ("suite_deploy.commands.preview:command", "Show what `up` would change."),
    "verify": ("suite_deploy.commands.verify:command", "Check a deployed suite: facts on the hosts and user journeys."),
    "status": ("suite_deploy.commands.status:command", "Show what runs where, in which version."),
    "destroy": ("suite_deploy.commands.destroy:command", "Remove a suite; data stays unless told otherwise."),
    "check": ("suite_deploy.commands.check:command", "Validate an inventory and judge it by the policies."),
    "secrets": ("suite_deploy.commands.secrets:command", "Make and look after the secrets of an inventory."),
    "images": ("suite_deploy.commands.images:command", "Lock, build and list container images."),
    "policy": ("suite_deploy.commands.policy:command", "Explain the policies and re-check what was deployed."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when one is run; a command whose module is absent is not offered."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        here = Path(__file__).parent
        return [
            verb
            for verb, (target, _) in COMMANDS.items()
            if (here.parent / (target.partition(":")[0].replace(".", "/") + ".py")).exists()
        ]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(verb, COMMANDS[verb][1]) for verb in self.list_commands(ctx)]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="suite-deploy")
def cli() -> None:
    """Deploy and verify a collaboration suite: identity, chat and more, on your own hosts or cloud."""


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    sys.exit(main(arguments))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; an unexpected exception passes through with its traceback."""
    try:
        result = cli.main(args=arguments, prog_name="suite-deploy", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        print("interrupted; run the same command again to go on", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; nothing more may be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        from suite_deploy.errors import SuiteError

        if not isinstance(error, SuiteError):
            raise
        print(error, file=sys.stderr)
        return error.exit_code
    return result if isinstance(result, int) else 0
