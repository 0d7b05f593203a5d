# SPDX-License-Identifier: MIT
"""What both applications have: people, sign-in, storage, settings."""
