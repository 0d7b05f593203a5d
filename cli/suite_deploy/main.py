# SPDX-License-Identifier: MIT
"""The command line: verbs load when they are called, errors become exit codes here and nowhere else."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
from collections.abc import Sequence

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
    "doctor": (
        "suite_deploy.commands.doctor:command",
        "Say what this machine has and lacks to deploy, and get what is missing.",
    ),
    "policy": ("suite_deploy.commands.policy:command", "Explain the policies and re-check what was deployed."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when one is run; a verb without its module in this version is not offered."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [verb for verb, (target, _) in COMMANDS.items() if _exists(target)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target, _ = COMMANDS.get(cmd_name, ("", ""))
        if not target or not _exists(target):
            return None
        module, _, attribute = target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(verb, COMMANDS[verb][1]) for verb in self.list_commands(ctx)]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


def _discard_output() -> None:
    """What stdout still holds cannot be written: the interpreter must not try again at its end."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _exists(target: str) -> bool:
    """Whether this version has the module of a `package.module:attribute`, found without importing anything."""
    # Not with pathlib: loading it would cost --help a third of a bare interpreter.
    module = target.partition(":")[0].removeprefix("suite_deploy.")
    return os.path.exists(f"{os.path.dirname(__file__)}/{module.replace('.', '/')}.py")


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="suite-deploy")
def cli() -> None:
    """Deploy and verify a collaboration suite: identity, chat and more, on your own hosts or cloud."""


def run() -> None:
    """Run the command line of this process and end it with the right exit code."""
    # A service manager's or a CI job's stop is an interrupt like Ctrl-C: children end, a second run goes on.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    sys.exit(main())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; an unexpected exception passes through with its traceback.

    arguments: those of this process by default.
    """
    try:
        result = cli.main(args=arguments, prog_name="suite-deploy", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; run the same command again to go on", err=True)
        return 130
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EDQUOT):
            raise
        # Whoever read our output has gone, or the disk is full: no bug of ours.
        if error.errno != errno.EPIPE:
            click.echo(": ".join(str(part) for part in (error.filename, error.strerror) if part), err=True)
        _discard_output()
        return 1
    except Exception as error:
        from suite_deploy.errors import SuiteError

        if not isinstance(error, SuiteError):
            raise
        click.echo(str(error), err=True)
        return error.exit_code
    return result if isinstance(result, int) else 0
