# SPDX-License-Identifier: MIT
"""Looking at a deployed suite: facts on its hosts, and what its users do with real clients.

The checks are pytest tests: shared ones in `facts/` and `journeys/`, a component's own in `roles/<component>/verify/`.
They run inside this process, so that the Deployment and the secrets never leave it.
"""

from .result import Finding, VerifyResult
from .session import run_verify

__all__ = ["Finding", "VerifyResult", "run_verify"]
