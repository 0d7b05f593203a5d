# SPDX-License-Identifier: MIT
"""The usual tools find nothing to say about this checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.checkout import ROOT, files, is_script, relative


def expect_content(command: list[str], scratch: Path) -> None:
    """Fail with what a tool has to say, if anything; its caches go into `scratch`."""
    environment = os.environ | {"ANSIBLE_HOME": str(scratch), "XDG_CACHE_HOME": str(scratch), "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"{' '.join(command[:2])}\n{done.stdout}{done.stderr}", pytrace=False)


def test_ruff_finds_nothing(tmp_path: Path) -> None:
    expect_content(["ruff", "check", "--no-cache", "--quiet", "--output-format=concise", "."], tmp_path)


def test_python_is_formatted(tmp_path: Path) -> None:
    expect_content(["ruff", "format", "--no-cache", "--check", "--quiet", "."], tmp_path)


def test_types_hold(tmp_path: Path) -> None:
    folders = [name for name in ("cli", "stacks", "tests/lanes.py") if (ROOT / name).exists()]
    expect_content(["mypy", f"--cache-dir={tmp_path}", "--no-error-summary", *folders], tmp_path)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed on this machine")
def test_shellcheck_finds_nothing(tmp_path: Path) -> None:
    scripts = [relative(path) for path in files() if path.suffix == ".sh" or is_script(path, "sh", "bash")]
    assert "suite-deploy" in scripts
    expect_content(["shellcheck", "--external-sources", "--source-path=SCRIPTDIR", *scripts], tmp_path)


def test_yamllint_finds_nothing(tmp_path: Path) -> None:
    expect_content(["yamllint", "--strict", "--format=parsable", "."], tmp_path)


def test_roles_meet_the_production_profile(tmp_path: Path) -> None:
    expect_content(["ansible-lint", "-q", "--nocolor"], tmp_path)
