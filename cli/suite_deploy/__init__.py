# SPDX-License-Identifier: MIT
"""Deploys and verifies a sovereign collaboration suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model.deployment import Deployment

__version__ = "0.1.0"


def load(inventory: str) -> Deployment:
    """The deployment of an inventory that the policies accept: how a stack's `__main__` starts.

    Raises InvalidInput for a broken inventory, FoundFailures with the report when a finding blocks.
    """
    from .policy import load_judged

    return load_judged(inventory)
