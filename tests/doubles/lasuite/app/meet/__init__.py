# SPDX-License-Identifier: MIT
"""Visio, by the package name of the image this stands for."""
