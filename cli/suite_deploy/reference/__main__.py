# SPDX-License-Identifier: MIT
"""`python -m suite_deploy.reference [ROOT]`: write every generated file below ROOT (the checkout)."""

from __future__ import annotations

from pathlib import Path

import click

from ..paths import resource_root
from .pages import write_all


@click.command()
@click.argument("root", required=False, type=click.Path(path_type=Path, file_okay=False, exists=True))
def main(root: Path | None) -> None:
    """Write every generated file below ROOT, the checkout unless given, and name each."""
    for name in write_all(root or resource_root()):
        click.echo(name)


if __name__ == "__main__":
    main()
