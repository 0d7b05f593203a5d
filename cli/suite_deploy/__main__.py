# SPDX-License-Identifier: MIT
"""`python -m suite_deploy`, and what the launcher starts by path with an isolated interpreter."""

import gc
import sys


def start() -> None:
    """Load the command line and run it."""
    if not __package__:
        sys.path.insert(0, __file__.removesuffix("/suite_deploy/__main__.py"))
    # Loading modules makes no garbage; looking for it would cost --help a twentieth.
    gc.disable()
    from suite_deploy.main import run

    gc.enable()
    run()


if __name__ == "__main__":
    start()
