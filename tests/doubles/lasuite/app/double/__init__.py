# SPDX-License-Identifier: MIT
"""What makes this a double: it says which setting is missing or wrong, and does not start."""
