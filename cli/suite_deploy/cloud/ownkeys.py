# SPDX-License-Identifier: MIT
"""A key that an operator supplies for a component's bucket is never the one that the suite itself is made with."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..errors import InvalidInput, Problem
from ..model.deployment import Deployment
from ..secrets.value import Secret
from .credentials import Credentials


def refuse_own_keys(
    deployment: Deployment, credentials: Credentials, secrets: Callable[[], Mapping[str, Secret]]
) -> None:
    """Raise InvalidInput for every supplied key of a bucket that is the account's own.

    secrets: opens the suite's secrets; called only where such keys are supplied.
    """
    own = credentials.variables.get("OSC_ACCESS_KEY")
    names = [item.name for item in deployment.secrets_wanted if item.name.endswith(".bucket_access_key")]
    if not (own and names):
        return
    store = secrets()
    step = "Supply a key of another account: docs/operator/outscale.md, Keys of buckets."
    found = "is the key this suite is made with: whoever holds it holds every host and all data."
    file = str(deployment.secrets_file)
    same = [name for name in names if name in store and store[name].reveal() == own]
    if same:
        raise InvalidInput([Problem(file, 0, name, found, "", step) for name in same])
