# SPDX-License-Identifier: MIT
"""The image's entrypoint: looks at the settings, tries them, then becomes the command it was given."""

from __future__ import annotations

import os
import sys

from .contract import APPLICATIONS, problems

REFUSED = 78  # EX_CONFIG


def main(application: str, command: list[str]) -> None:
    """Start `command`, or say in one line each what is wrong and end with REFUSED."""
    found = problems(application, os.environ)
    if not found:
        import configurations

        configurations.setup()
        from importlib import import_module

        import_module(f"{application.partition('.')[0]}.celery_app")
        from .live import unusable

        found = list(unusable())
    for line in found:
        print(f"double: {line}", file=sys.stderr)
    if found:
        raise SystemExit(REFUSED)
    os.execvp(command[0], command)


if __name__ == "__main__":
    if sys.argv[1] not in APPLICATIONS:
        raise SystemExit(f"double: {sys.argv[1]} is no application")
    main(sys.argv[1], sys.argv[2:])
