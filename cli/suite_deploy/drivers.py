# SPDX-License-Identifier: MIT
"""Deployment → the driver that makes its hosts. The one place that names drivers."""

from __future__ import annotations

from pathlib import Path

from .errors import InvalidInput
from .model.deployment import Deployment
from .model.outputs import Driver
from .model.suite import Cloud, Existing
from .paths import machine_cache, share_import


def driver_for(deployment: Deployment, vault_password_file: Path | None = None) -> Driver:
    """The driver of this deployment's infrastructure.

    vault_password_file: opens the secret that encrypts an engine's state; asked for only when the engine runs.
    Raises InvalidInput for a driver that this version knows the name of and does not have.
    """
    infrastructure = deployment.suite.infrastructure
    if deployment.is_local:
        local = share_import("stacks.local")
        edge = deployment.host_of("edge").name
        driver: Driver = local.LocalDriver(
            suite=deployment.suite.suite,
            hosts=[local.HostWanted(host.name, host.groups, dict(host.volumes)) for host in deployment.hosts],
            names=dict.fromkeys(deployment.public_names, edge),
            state_dir=deployment.state_dir,
            cache_dir=machine_cache(),
        )
        return driver
    if isinstance(infrastructure, Existing):
        existing = share_import("stacks.existing")
        made: Driver = existing.ExistingDriver(
            suite=deployment.suite.suite,
            hosts=[
                existing.HostGiven(host.name, host.address or "", host.groups, host.private_address or "", host.public)
                for host in deployment.hosts
            ],
            names={name: deployment.host_of("edge").name for name in deployment.public_names},
            ssh_user=deployment.suite.ssh.user,
            ssh_port=deployment.suite.ssh.port,
            ssh_key=deployment.suite.ssh.key,
            state_dir=deployment.state_dir,
        )
        return made
    if isinstance(infrastructure, Cloud):
        from .cloud.driver import CloudDriver

        return CloudDriver(deployment, vault_password_file)
    raise InvalidInput(list(deployment.not_in_this_version))
