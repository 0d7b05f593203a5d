# SPDX-License-Identifier: MIT
"""How every cloud's program starts: which inventory, judged by the policies, and errors said without a traceback."""

from __future__ import annotations

import os
from collections.abc import Callable

import pulumi

from suite_deploy import load
from suite_deploy.errors import SuiteError
from suite_deploy.model.deployment import Deployment
from suite_deploy.model.sizing import with_flavors

#: names the inventory; wins over the stack's configuration `suite:inventory`
INVENTORY = "SUITE_DEPLOY_INVENTORY"


def run(build: Callable[[Deployment], None]) -> None:
    """Load the inventory, let the policies judge it, and build. Raises pulumi.RunError with the whole message."""
    try:
        build(with_flavors(load(inventory()), chosen_flavors()))
    except SuiteError as error:
        raise pulumi.RunError(str(error)) from None


def inventory() -> str:
    """The name or path of the inventory. Raises pulumi.RunError when nothing names one."""
    name = os.environ.get(INVENTORY) or pulumi.Config("suite").get("inventory")
    if not name:
        raise pulumi.RunError(
            f"no inventory is named.\n  Set {INVENTORY}, or run `pulumi config set suite:inventory NAME` once."
        )
    return name


def chosen_flavors() -> dict[str, str]:
    """Size → flavor of derived hosts, chosen for this run alone: the stack's configuration `suite:flavors`."""
    return {str(size): str(name) for size, name in (pulumi.Config("suite").get_object("flavors") or {}).items()}


def unprotect() -> bool:
    """Whether data may be removed: the stack's configuration `suite:unprotect`."""
    return bool(pulumi.Config("suite").get_bool("unprotect"))
