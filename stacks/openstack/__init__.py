# SPDX-License-Identifier: MIT
"""Driver `openstack`: a Pulumi project; `__main__.py` is what the engine runs."""
