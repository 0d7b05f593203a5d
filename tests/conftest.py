# SPDX-License-Identifier: MIT
"""What all tests share: markers that say why a test cannot run here."""

from __future__ import annotations

import os

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that make machines, mounts or users say so instead of failing for a user."""
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("needs_root"):
            item.add_marker(pytest.mark.skip(reason="needs root: run tests/run as root or with sudo"))
