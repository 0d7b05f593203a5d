# SPDX-License-Identifier: MIT
"""Driver `existing`: hosts somebody else made. Nothing is created and nothing is removed."""

from stacks.existing.driver import ExistingDriver, HostGiven

__all__ = ["ExistingDriver", "HostGiven"]
