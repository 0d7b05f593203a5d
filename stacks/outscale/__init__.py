# SPDX-License-Identifier: MIT
"""Hosts, networks, volumes and buckets at 3DS OUTSCALE: a Pulumi program over dynamic providers of our own."""
