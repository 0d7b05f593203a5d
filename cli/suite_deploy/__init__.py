# SPDX-License-Identifier: MIT
"""Deploys and verifies a sovereign collaboration suite."""

__version__ = "0.1.0"
