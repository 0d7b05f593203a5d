# SPDX-License-Identifier: MIT
"""Driver `ovh`: OVHcloud's public cloud, OpenStack underneath and OVHcloud's own interface for networks and buckets."""
