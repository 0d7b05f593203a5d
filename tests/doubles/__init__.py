# SPDX-License-Identifier: MIT
"""Contract doubles: small servers that stand in, in tests only, for images that cannot be had."""
