# SPDX-License-Identifier: MIT
"""One accepted and one refused inventory per driver, judged by `check` alone."""

from __future__ import annotations

from typing import get_args

import pytest

from suite_deploy.main import main
from suite_deploy.model.suite import Existing, Local, OpenStack, Outscale, Ovh
from tests.checkout import ROOT

from .support import EXAMPLES, REGISTER_DAY, deployment, failing, judge

DRIVERS = [
    get_args(model.model_fields["driver"].annotation)[0] for model in (Local, Existing, OpenStack, Ovh, Outscale)
]
#: rules that block the refused example of each driver
BLOCKING = {
    "local": {"REG-001"},
    "existing": {"REG-001", "NET-001"},
    "openstack": {"REG-001", "REG-008", "QUA-005", "NET-001", "IMG-001", "IMG-002"},
    "ovh": {"REG-003", "REG-008"},
    "outscale": {"REG-001"},
}


def check(name: str) -> int:
    return main(["check", str(ROOT / "inventories" / name), "--on", REGISTER_DAY.isoformat()])


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OS_CLOUD", "OS_REGION_NAME", "OS_AUTH_URL", "OSC_REGION", "AWS_REGION", "PULUMI_ACCESS_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_accepted_example_is_accepted(driver: str) -> None:
    assert deployment(f"example-{driver}-accepted").driver == driver
    assert check(f"example-{driver}-accepted") == 0


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_refused_example_is_refused_by_the_rules_it_names(driver: str) -> None:
    assert deployment(f"example-{driver}-refused").driver == driver
    assert check(f"example-{driver}-refused") == 3
    assert failing(judge(deployment(f"example-{driver}-refused")), blocking=True) == BLOCKING[driver]
    said = (ROOT / f"inventories/example-{driver}-refused/suite.yml").read_text()
    for rule in BLOCKING[driver] & {"REG-001", "REG-003", "REG-008"}:
        assert rule in said


def test_every_shipped_example_is_one_of_these() -> None:
    wanted = {f"example-{driver}-{kind}" for driver in DRIVERS for kind in ("accepted", "refused")}
    assert {name for name in EXAMPLES if name.startswith("example-")} == wanted


def test_the_embedded_default_is_accepted() -> None:
    assert check("demo") == 0
    assert failing(judge(deployment("demo"))) == set()
