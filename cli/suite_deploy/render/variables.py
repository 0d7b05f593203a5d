# SPDX-License-Identifier: MIT
"""Texts that stand in the generated Ansible variables."""

from __future__ import annotations


def secret(name: str) -> str:
    """An Ansible expression for a secret; its value never stands in the inventory."""
    return "{{ suite_secrets['" + name + "'] }}"
