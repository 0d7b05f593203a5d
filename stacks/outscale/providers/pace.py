# SPDX-License-Identifier: MIT
"""How fast and how long we ask: retries with back-off and jitter, waits with limits."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from .errors import TimedOut

T = TypeVar("T")
_RANDOM = random.SystemRandom()


@dataclass
class Pace:
    """Times in seconds. Sources: Outscale's page on throttling and the SDK's own defaults (5 requests per second)."""

    attempts: int = 9  #: how often a request is sent before its failure counts
    connections: int = 5  #: how often, where no connection was ever made
    first: float = 1.0  #: the first pause; each following one is twice as long
    longest: float = 30.0  #: no pause is longer, jitter included
    jitter: float = 1.0  #: up to this much is added, so that parallel clients part
    poll: float = 3.0  #: between two looks at a state
    settle: float = 30.0  #: how long something just made may stay invisible
    shutdown: float = 180.0  #: a guest gets to shut down before it is switched off
    connect: float = 10.0  #: until a connection stands
    answer: float = 90.0  #: until an answer begins
    per_second: int = 5  #: requests of one process

    def pauses(self) -> Iterator[float]:
        """The pauses between attempts, each with its own jitter."""
        for attempt in range(self.attempts - 1):
            yield min(self.longest, self.first * 2**attempt + _RANDOM.uniform(0, self.jitter))


#: one for the process; tests hurry it
PACE = Pace()


def until(look: Callable[[], T | None], what: str, limit: float) -> T:
    """The first answer of `look` that is not None.

    what: said when time is up, like "VM i-1 to run". limit: seconds. Raises TimedOut.
    """
    end = time.monotonic() + limit
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() >= end:
            raise TimedOut(f"waited {limit:.0f} s for {what}; run it again to go on from here")
        time.sleep(min(PACE.poll, max(0.0, end - time.monotonic())))
