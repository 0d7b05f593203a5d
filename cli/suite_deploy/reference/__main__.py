# SPDX-License-Identifier: MIT
"""`python -m suite_deploy.reference [ROOT]`: write every generated file below ROOT (the checkout)."""

from __future__ import annotations

import sys
from pathlib import Path

from ..paths import resource_root
from .pages import write_all

if __name__ == "__main__":
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else resource_root()
    for name in write_all(root):
        print(name)
