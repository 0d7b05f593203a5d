# SPDX-License-Identifier: MIT
"""What all tests share: helpers whose asserts show values, markers that say why a test cannot run here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# folder by folder, before one is imported: pytest does so itself for test modules only
pytest.register_assert_rewrite(*(f"tests.{path.name}" for path in Path(__file__).parent.iterdir() if path.is_dir()))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that make machines, mounts or users say so instead of failing for a user."""
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("needs_root"):
            item.add_marker(pytest.mark.skip(reason="needs root: run tests/run as root or with sudo"))
