# SPDX-License-Identifier: MIT
"""What the engine runs for the driver `ovh`: load, judge, build, export."""

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# An installed program brings its package along; a checkout started by hand does not.
for folder in (ROOT / "cli", ROOT):
    if folder.is_dir() and str(folder) not in sys.path:
        sys.path.append(str(folder))

entry = importlib.import_module("stacks.components.entry")
program = importlib.import_module("stacks.ovh.program")
entry.run(program.build)
