# SPDX-License-Identifier: MIT
"""`python -m suite_deploy`, and what the launcher starts by path with an isolated interpreter."""

import sys

if not __package__:
    sys.path.insert(0, __file__.removesuffix("/suite_deploy/__main__.py"))

from suite_deploy.main import run

run()
