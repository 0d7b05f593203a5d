# SPDX-License-Identifier: MIT
"""The policy pack under the real engine, where one is on PATH: a mandatory violation stops a preview."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkout import ROOT

pytestmark = pytest.mark.skipif(shutil.which("pulumi") is None, reason="the engine (`pulumi`) is not on PATH")

PROGRAM = """
import pulumi


class Thing(pulumi.ComponentResource):
    def __init__(self):
        super().__init__("nobody:looked:AtThis", "thing")
        self.register_outputs({})


Thing()
"""


def preview(folder: Path, inventory: str) -> subprocess.CompletedProcess[str]:
    """`pulumi preview --policy-pack` of a program with one unlisted type; state below `folder`, nothing hosted."""
    runtime = f"runtime: {{name: python, options: {{toolchain: pip, virtualenv: {sys.prefix}}}}}\n"
    program, pack = folder / "program", folder / "pack"
    program.mkdir(parents=True)
    (program / "Pulumi.yaml").write_text(f"name: pack-test\n{runtime}")
    (program / "__main__.py").write_text(PROGRAM)
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text(f"{runtime}version: 0.1.0\n")
    (pack / "__main__.py").write_text("from suite_deploy.policy.pulumi_pack import serve\n\nserve()\n")
    (folder / "state").mkdir()
    variables = os.environ | {
        "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_HOME": str(folder / "home"),
        "PYTHONPATH": str(ROOT / "cli"),
        "SUITE_DEPLOY_INVENTORY": inventory,
    }
    command = ["pulumi", "--non-interactive", "--cwd", str(program)]
    subprocess.run([*command, "stack", "init", "test"], env=variables, check=True, capture_output=True)
    return subprocess.run(
        [*command, "preview", "--policy-pack", str(pack)], env=variables, capture_output=True, text=True, timeout=300
    )


def test_an_unlisted_type_stops_a_preview(tmp_path: Path) -> None:
    done = preview(tmp_path, str(ROOT / "inventories" / "example-openstack-accepted"))
    assert done.returncode != 0
    assert "REG-006" in done.stdout + done.stderr


def test_a_refused_inventory_stops_a_preview(tmp_path: Path) -> None:
    done = preview(tmp_path, str(ROOT / "inventories" / "example-outscale-refused"))
    assert done.returncode != 0
    assert "REG-001" in done.stdout + done.stderr
