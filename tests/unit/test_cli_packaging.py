# SPDX-License-Identifier: MIT
"""What is installed: a wheel that carries its resources, and locks that say what pyproject.toml asks for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.checkout import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RESOURCES = ("charts-values", "inventories", "policies", "roles", "stacks")


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; its requirements are the ones these tests run with."""
    place = tmp_path_factory.mktemp("installed")
    venv.create(place, symlinks=True)
    python = place / "bin/python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(wheel)], check=True)
    packages = next(place.glob("lib/python3.*/site-packages"))
    others = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "requirements.pth").write_text("\n".join(others))
    return place / "bin/suite-deploy"


def run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run([program, *arguments], cwd="/", env=variables, capture_output=True, text=True, timeout=120)


def test_the_wheel_carries_every_resource_of_the_checkout(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        carried = {name for name in archive.namelist() if not name.endswith("/")}
    for folder in RESOURCES:
        if not (ROOT / folder).is_dir():
            continue
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert f"suite_deploy/_share/{path.relative_to(ROOT)}" in carried
    assert not [name for name in carried if "__pycache__" in name or name.startswith("tests/")]


def test_an_installed_wheel_explains_itself(installed: Path) -> None:
    done = run(installed, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage: suite-deploy" in done.stdout


def test_an_installed_wheel_checks_the_embedded_demo(installed: Path) -> None:
    done = run(installed, "check", "demo")
    assert done.returncode == 0, done.stderr


def test_the_runtime_lock_fulfils_the_project() -> None:
    locked = pins("requirements.lock")
    for text in PROJECT["project"]["dependencies"]:
        wanted = Requirement(text)
        assert locked[canonicalize_name(wanted.name)] in wanted.specifier, f"{text}: run tests/lock"


def test_the_test_lock_adds_what_the_tests_need_and_repeats_nothing() -> None:
    runtime, tests = pins("requirements.lock"), pins("requirements-test.lock")
    assert not runtime.keys() & tests.keys()
    for text in PROJECT["dependency-groups"]["test"]:
        wanted = Requirement(text)
        assert tests[canonicalize_name(wanted.name)] in wanted.specifier, f"{text}: run tests/lock"


def test_the_clouds_lock_adds_what_the_clouds_need_and_is_what_the_tests_run_with() -> None:
    runtime, clouds, tests = (
        pins(name) for name in ("requirements.lock", "requirements-cloud.lock", "requirements-test.lock")
    )
    assert not runtime.keys() & clouds.keys()
    for text in PROJECT["project"]["optional-dependencies"]["cloud"]:
        wanted = Requirement(text)
        assert clouds[canonicalize_name(wanted.name)] in wanted.specifier, f"{text}: run tests/lock"
    assert {name: version for name, version in clouds.items() if tests.get(name) != version} == {}


def test_what_is_installed_fits_together() -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_engines_bindings_are_asked_for_by_those_who_need_them() -> None:
    assert not [name for name in pins("requirements.lock") if name.startswith("pulumi")]
    assert [text for text in PROJECT["project"]["optional-dependencies"]["cloud"] if text.startswith("pulumi")]
