# SPDX-License-Identifier: MIT
"""What can go wrong between a client and an API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: `throttle` refuses before anything is done. `lose` does it and drops the connection. `drop` drops the connection
#: before anything is done. `fail` does it and answers 500. `hang` does it and answers later than clients wait.
#: `refuse` answers `error` (code, type, details).
Kind = Literal["throttle", "throttle-account", "lose", "drop", "fail", "hang", "refuse"]


@dataclass
class Fault:
    """A fault of the next `times` requests for `action`. `after`: requests that pass before it begins."""

    action: str
    kind: Kind
    times: int = 1
    after: int = 0
    error: tuple[int, str, str, str] = (400, "0", "DefaultError", "")

    def strikes(self, action: str) -> bool:
        """Whether it hits this request; counts it."""
        if action != self.action or self.times <= 0:
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return True
