# SPDX-License-Identifier: MIT
"""Signals as a program started in a terminal hears them."""

from __future__ import annotations

import signal


def hear_signals() -> None:
    """For a child, before it starts: a test run in the background, or under nohup, hands on that it ignores these."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
