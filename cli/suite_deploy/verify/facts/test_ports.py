# SPDX-License-Identifier: MIT
"""Hosts listen where the description says, and nowhere else; from outside, less than that answers."""

from __future__ import annotations

from suite_deploy.model.deployment import Deployment
from suite_deploy.model.outputs import StackOutputs
from suite_deploy.verify import expected, reach
from suite_deploy.verify.fixtures import Look
from suite_deploy.verify.machines import Machine


def test_no_socket_listens_outside_its_endpoints(
    machine: Machine, deployment: Deployment, outputs: StackOutputs, look: Look
) -> None:
    host = next(item for item in outputs.hosts if item.name == machine.name)
    networks = expected.Networks.of(deployment, outputs)
    wrong = expected.undeclared(machine.listening, expected.endpoints(deployment, host), networks)
    look.hint(f"sudo ss -ltunp   (on {machine.name})")
    assert not wrong, f"{machine.name} listens where nothing was declared:\n" + "\n".join(wrong)


def test_every_declared_endpoint_listens(
    machine: Machine, deployment: Deployment, outputs: StackOutputs, look: Look
) -> None:
    host = next(item for item in outputs.hosts if item.name == machine.name)
    wrong = expected.silent(machine.listening, expected.endpoints(deployment, host))
    look.hint(f"sudo ss -ltunp   (on {machine.name})")
    assert not wrong, f"on {machine.name} nothing listens at:\n" + "\n".join(wrong)


def test_inner_ports_are_closed_from_outside(
    machine: Machine, deployment: Deployment, outputs: StackOutputs, look: Look
) -> None:
    host = next(item for item in outputs.hosts if item.name == machine.name)
    closed = expected.closed_ports(deployment, host)
    addresses = [host.address] + ([outputs.public_address] if "edge" in host.groups else [])
    answering = reach.open_ports(addresses, closed)
    wrong = [f"{address}:{port} ({closed[port]})" for address, port in answering]
    look.hint(f"sudo nft list table inet suite   (on {machine.name})")
    assert not wrong, "reachable from outside the suite:\n" + "\n".join(wrong)
