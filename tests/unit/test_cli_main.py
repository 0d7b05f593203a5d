# SPDX-License-Identifier: MIT
"""The command line as a whole: help, exit codes, what it loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"pulumi", "ansible", "pydantic", "jinja2", "yaml", "rich"}


def test_help_loads_nothing_heavy_and_nothing_of_ours_but_main() -> None:
    program = (
        "import sys\nfrom suite_deploy.main import main\nassert main(['--help']) == 0\nprint(*sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT / "cli")},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded & HEAVY
    assert {name for name in loaded if name.startswith("suite_deploy")} == {"suite_deploy", "suite_deploy.main"}
