# SPDX-License-Identifier: MIT
"""Clocks agree: tokens, certificates and one-time codes depend on it."""

from __future__ import annotations

from suite_deploy.verify.fixtures import Look
from suite_deploy.verify.machines import Machine

#: seconds; identity providers tolerate little more
_MOST_APART = 5.0


def test_clock_agrees_with_the_operators(machine: Machine, look: Look) -> None:
    look.hint(f"timedatectl   (on {machine.name})")
    offset = machine.clock_offset
    assert abs(offset) <= _MOST_APART, f"{machine.name} is {offset:+.1f} s off this machine's clock"
