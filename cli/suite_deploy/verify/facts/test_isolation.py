# SPDX-License-Identifier: MIT
"""Containers reach what was declared and nothing else: not the outside, not each other."""

from __future__ import annotations

import socket
from collections.abc import Mapping

import pytest

from suite_deploy.model.component import Service
from suite_deploy.model.deployment import Component, Deployment
from suite_deploy.model.outputs import StackOutputs
from suite_deploy.verify import expected
from suite_deploy.verify.fixtures import Look
from suite_deploy.verify.machines import Machine
from suite_deploy.verify.parsers import ContainerFact
from suite_deploy.verify.reach import own_address


def _served(component: Component, machine: Machine) -> list[tuple[Service, ContainerFact]]:
    """A component's services with their running containers, as far as these are in a network of their own."""
    by_unit = {item.unit: item for item in machine.containers if item.running and item.network != "host"}
    units = zip(component.description.services.values(), expected.units_of(component), strict=True)
    return [(service, by_unit[unit]) for service, unit in units if unit in by_unit]


def _containers(component: Component, machine: Machine) -> list[ContainerFact]:
    """The same containers; fails when there is none to ask from."""
    if all(service.network == "host" for service in component.description.services.values()):
        pytest.skip(f"{component.slug} is in its host's network: the packet filter holds it by its user ids")
    found = [container for _, container in _served(component, machine)]
    assert found, f"no container of {component.slug} runs on {machine.name}"
    return found


def test_containers_do_not_reach_the_outside(
    component: Component, machines: Mapping[str, Machine], outputs: StackOutputs, look: Look
) -> None:
    if component.description.egress:
        pytest.skip(f"{component.slug} may call {', '.join(component.description.egress)}")
    machine = machines[component.host]
    host = next(item for item in outputs.hosts if item.name == machine.name)
    look.hint(f"sudo nft list chain inet suite forward   (on {machine.name})")
    with socket.create_server((own_address(host.address), 0), backlog=16) as here:
        place = here.getsockname()[:2]
        if not machine.reached([place]):
            pytest.skip(f"{machine.name} itself does not reach this machine, so silence would prove nothing")
        wrong = [item.name for item in _containers(component, machine) if machine.reached([place], item.pid)]
    assert not wrong, f"{', '.join(wrong)} on {machine.name} opened a connection to {place[0]}, outside the suite"


def test_components_do_not_reach_each_other_directly(
    component: Component, deployment: Deployment, machines: Mapping[str, Machine], look: Look
) -> None:
    machine = machines[component.host]
    look.hint(f"sudo nft list chain inet suite forward   (on {machine.name})")
    others = {
        (address, service.port): container.name
        for other in deployment.ordered
        if other.slug != component.slug and other.host == component.host
        for service, container in _served(other, machine)
        for address in container.addresses
        if service.port
    }
    answering = machine.reached(others)
    if not answering:
        pytest.skip(f"no other component's container answers on {machine.name}")
    wrong = [
        f"{container.name} → {others[place]}"
        for container in _containers(component, machine)
        for place in sorted(machine.reached(answering, container.pid))
    ]
    assert not wrong, f"connected without passing the edge: {', '.join(wrong)}"
