# SPDX-License-Identifier: MIT
"""Hosts on a cloud: engine, credentials, plan, quota and cost, behind the same interface as every other driver."""
