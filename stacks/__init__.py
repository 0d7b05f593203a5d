# SPDX-License-Identifier: MIT
"""Infrastructure drivers: each brings hosts into being and describes them as `StackOutputs`."""
