# SPDX-License-Identifier: MIT
"""Everything that must run does, and has not been falling over."""

from __future__ import annotations

from suite_deploy.model.deployment import Deployment
from suite_deploy.model.outputs import StackOutputs
from suite_deploy.verify import expected
from suite_deploy.verify.fixtures import Look
from suite_deploy.verify.machines import Machine

#: a unit that came back this often by itself is not well
_MOST_RESTARTS = 3


def test_every_unit_is_active(machine: Machine, deployment: Deployment, outputs: StackOutputs, look: Look) -> None:
    host = next(item for item in outputs.hosts if item.name == machine.name)
    wanted = expected.units(deployment, host)
    units = machine.units(wanted)
    wrong = []
    for name in wanted:
        unit = units.get(name)
        if unit is None or unit.load == "not-found":
            wrong.append(f"{name} does not exist")
        elif unit.active != "active":
            wrong.append(f"{name} is {unit.active} ({unit.sub})")
        elif unit.restarts > _MOST_RESTARTS:
            wrong.append(f"{name} was restarted {unit.restarts} times")
        else:
            continue
        look.at(machine.name, name)
    assert not wrong, f"on {machine.name}:\n" + "\n".join(wrong)


def test_no_unit_has_failed(machine: Machine, look: Look) -> None:
    for unit in machine.failed_units:
        look.at(machine.name, unit)
    assert not machine.failed_units, f"on {machine.name}: {', '.join(machine.failed_units)}"
