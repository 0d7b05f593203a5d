# SPDX-License-Identifier: MIT
"""What the options shared by all commands say, as one object instead of a row of parameters."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click


@dataclass(frozen=True)
class Settings:
    """How a command is to behave, whatever it does.

    format: of the results on stdout. quiet: no progress on stderr, errors only.
    vault_password_file: where the password of `!vault` values is read from (or printed by, when executable).
    """

    format: Literal["text", "json"] = "text"
    quiet: bool = False
    vault_password_file: Path | None = None

    @property
    def json(self) -> bool:
        """Whether stdout must carry one JSON document and nothing else."""
        return self.format == "json"


_OPTIONS = (
    click.option("--format", type=click.Choice(["text", "json"]), default="text", help="Format of the results."),
    click.option("--quiet", "-q", is_flag=True, help="No progress, errors only."),
    click.option(
        "--vault-password-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        envvar="ANSIBLE_VAULT_PASSWORD_FILE",
        help="Password of the vaulted values in secrets.yml; ANSIBLE_VAULT_PASSWORD_FILE by default.",
    ),
)


def common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a click command the shared options; the function gets them as its keyword argument `settings`."""

    @functools.wraps(function)
    def with_settings(
        *arguments: Any,
        format: Literal["text", "json"],
        quiet: bool,
        vault_password_file: Path | None,
        **options: Any,
    ) -> Any:
        settings = Settings(format, quiet, vault_password_file)
        return function(*arguments, settings=settings, **options)

    for option in reversed(_OPTIONS):
        with_settings = option(with_settings)
    return with_settings
