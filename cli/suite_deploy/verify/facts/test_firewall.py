# SPDX-License-Identifier: MIT
"""The suite's own firewall table is loaded and lets nothing through by default."""

from __future__ import annotations

import pytest

from suite_deploy.verify.fixtures import Look
from suite_deploy.verify.machines import Machine


@pytest.mark.parametrize("hook", ["input", "forward"])
def test_firewall_drops_what_nobody_allowed(machine: Machine, hook: str, look: Look) -> None:
    look.hint(f"sudo nft list table inet suite   (on {machine.name})")
    look.at(machine.name, "nftables.service")
    policies = machine.chain_policies
    assert policies, f"{machine.name} has no table `inet suite`: nothing is filtered"
    assert policies.get(hook) == "drop", f"{machine.name}: the {hook} chain's policy is {policies.get(hook, 'absent')}"
