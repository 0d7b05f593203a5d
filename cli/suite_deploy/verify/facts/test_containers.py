# SPDX-License-Identifier: MIT
"""Containers run as described: own id range, no privilege, pinned image."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from suite_deploy.model.component import Service
from suite_deploy.model.deployment import UIDS_PER_COMPONENT, Component, Deployment
from suite_deploy.model.outputs import StackOutputs
from suite_deploy.verify import expected
from suite_deploy.verify.fixtures import Look
from suite_deploy.verify.machines import Machine
from suite_deploy.verify.parsers import ContainerFact


def _of(component: Component, machine: Machine, look: Look) -> Iterator[tuple[Service, ContainerFact]]:
    """Each service of a component with its container; fails where there is none."""
    by_unit = {container.unit: container for container in machine.containers}
    for name, unit in zip(component.description.services, expected.units_of(component), strict=True):
        container = by_unit.get(unit)
        assert container is not None and container.running, f"{unit} on {machine.name} has no running container"
        look.hint(f"sudo podman inspect {container.name}   (on {machine.name})")
        yield component.description.services[name], container


def test_containers_live_in_their_own_id_range(component: Component, machines: dict[str, Machine], look: Look) -> None:
    for service, container in _of(component, machines[component.host], look):
        first, last = component.uid_base, component.uid_base + UIDS_PER_COMPONENT - 1
        for kind, ranges in (("user", container.uid_map), ("group", container.gid_map)):
            assert ranges, f"{container.name} has no {kind} namespace of its own: its root is the host's root"
            outside = [item for item in ranges if item[1] < first or item[1] + item[2] - 1 > last]
            assert not outside, f"{container.name}: {kind} ids {outside} are not within {first}-{last}"
        wanted = component.uid_base + service.user
        uid = container.process_uid
        assert uid == wanted, f"{container.name} runs as uid {uid} on the host, not as {wanted}"


def test_containers_have_no_privilege_that_was_not_declared(
    component: Component, machines: dict[str, Machine], look: Look
) -> None:
    for service, container in _of(component, machines[component.host], look):
        assert not container.privileged, f"{container.name} is privileged"
        declared = {f"CAP_{name.upper().removeprefix('CAP_')}" for name in service.capabilities}
        extra = sorted(set(container.capabilities) - declared)
        assert not extra, f"{container.name} has capabilities nobody declared: {', '.join(extra)}"
        if service.read_only:
            assert container.read_only, f"{container.name}: its root file system is writable"
        if service.network == "own":
            assert container.network != "host", f"{container.name} is in the host's network"


def test_containers_run_images_pinned_by_digest(component: Component, machines: dict[str, Machine], look: Look) -> None:
    for _, container in _of(component, machines[component.host], look):
        pinned = re.search(r"@(sha256:[0-9a-f]{64})$", container.image)
        assert pinned, f"{container.name} runs {container.image}, a name without a digest"


def test_no_container_runs_that_nobody_declared(
    machine: Machine, deployment: Deployment, outputs: StackOutputs, look: Look
) -> None:
    host = next(item for item in outputs.hosts if item.name == machine.name)
    declared = {unit for component in expected.here(deployment, host) for unit in expected.units_of(component)}
    declared |= {
        f"{component.slug}-{job}.service"
        for component in expected.here(deployment, host)
        for job in component.description.jobs
    }
    if not declared and not machine.containers:
        pytest.skip("no component runs on this host")
    look.hint(f"sudo podman ps -a   (on {machine.name})")
    extra = [container.name for container in machine.containers if container.unit not in declared]
    assert not extra, f"on {machine.name}: {', '.join(extra)}"
