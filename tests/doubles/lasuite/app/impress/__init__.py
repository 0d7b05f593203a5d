# SPDX-License-Identifier: MIT
"""Docs, by the package name of the image this stands for."""
