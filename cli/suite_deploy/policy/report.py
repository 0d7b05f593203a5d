# SPDX-License-Identifier: MIT
"""The text report, where commands that only refuse look for it."""

from ..report.findings import render_text

__all__ = ["render_text"]
