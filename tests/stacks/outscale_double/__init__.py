# SPDX-License-Identifier: MIT
"""A TEST DOUBLE of Outscale's API: a stateful server that holds every request and answer to the published description.

It is not Outscale: rules beyond the description are what the documentation says, as far as the providers rely on them.
"""

from __future__ import annotations

from .cloud import Cloud
from .faults import Fault
from .server import Server

__all__ = ["Cloud", "Fault", "Server"]
