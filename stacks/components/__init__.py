# SPDX-License-Identifier: MIT
"""What the clouds' programs share. Importing this package loads no engine."""
