# SPDX-License-Identifier: MIT
"""How every cloud's program starts: which inventory, judged by the policies, and errors said without a traceback."""

from __future__ import annotations

import os
from collections.abc import Callable

import pulumi

from suite_deploy import load
from suite_deploy.cloud.engine import FLAVORS_KEY, IMAGE_KEY, INVENTORY_KEY, INVENTORY_VARIABLE, PROJECT_KEY
from suite_deploy.errors import SuiteError
from suite_deploy.model.deployment import Deployment
from suite_deploy.model.sizing import with_flavors
from suite_deploy.model.whichcloud import PROJECT_FACT


def run(build: Callable[[Deployment], None]) -> None:
    """Load the inventory, let the policies judge it, and build. Raises pulumi.RunError with the whole message."""
    try:
        build(with_flavors(load(inventory()), chosen_flavors()))
    except SuiteError as error:
        raise pulumi.RunError(str(error)) from None


def inventory() -> str:
    """The name or path of the inventory. Raises pulumi.RunError when nothing names one."""
    config, key = _configured(INVENTORY_KEY)
    name = os.environ.get(INVENTORY_VARIABLE) or config.get(key)
    if not name:
        raise pulumi.RunError(
            f"no inventory is named.\n  Set {INVENTORY_VARIABLE}, or run `pulumi config set {INVENTORY_KEY} NAME` once."
        )
    return name


def chosen_flavors() -> dict[str, str]:
    """Size → flavor of derived hosts, chosen for this run alone: the stack's configuration `suite:flavors`."""
    config, key = _configured(FLAVORS_KEY)
    return {str(size): str(name) for size, name in (config.get_object(key) or {}).items()}


def image_gib() -> int:
    """GiB of the disk that the cloud's own image needs: the stack's configuration `suite:image_gib`, else 0."""
    config, key = _configured(IMAGE_KEY)
    return config.get_int(key) or 0


def project_fact() -> dict[str, str]:
    """The fact by which a shared state says whose project it is of: the configuration `suite:project`; none without."""
    config, key = _configured(PROJECT_KEY)
    project = config.get(key)
    return {PROJECT_FACT: project} if project else {}


def _configured(key: str) -> tuple[pulumi.Config, str]:
    """Where a key of the stack's configuration is read, and its name there."""
    namespace, name = key.split(":")
    return pulumi.Config(namespace), name


def unprotect() -> bool:
    """Whether data may be removed: the stack's configuration `suite:unprotect`."""
    return bool(pulumi.Config("suite").get_bool("unprotect"))
