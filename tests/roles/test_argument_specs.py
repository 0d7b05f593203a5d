# SPDX-License-Identifier: MIT
"""Every role says what it takes, and its defaults are what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.checkout import ROOT

ROLES = sorted(path.parent.parent for path in ROOT.glob("roles/*/tasks/main.yml"))


def read(path: Path) -> dict[str, Any]:
    return (yaml.safe_load(path.read_text()) if path.exists() else None) or {}


@pytest.fixture(params=ROLES, ids=lambda role: role.name)
def role(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_defaults_are_the_ones_of_the_argument_specs(role: Path) -> None:
    options = read(role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    described = {name: option["default"] for name, option in options.items() if "default" in option}
    assert read(role / "defaults/main.yml") == described


def test_every_option_is_described_and_typed(role: Path) -> None:
    pending = list(read(role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"].items())
    while pending:
        name, option = pending.pop()
        assert option.get("type"), f"{role.name}: {name} has no type"
        assert option.get("description"), f"{role.name}: {name} has no description"
        pending += [(f"{name}.{inner}", value) for inner, value in option.get("options", {}).items()]
