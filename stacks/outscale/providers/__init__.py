# SPDX-License-Identifier: MIT
"""Pulumi dynamic providers over Outscale's own SDK: one class, one type token, per kind of resource."""

from __future__ import annotations

from .bucket import Bucket
from .internet import InternetService, NatService, PublicIp
from .keypair import Keypair
from .net import Net, Subnet
from .resource import OutscaleResource
from .routes import RouteTable
from .security import SecurityGroup
from .vm import Vm
from .volume import Volume, VolumeLink

__all__ = [
    "Bucket",
    "InternetService",
    "Keypair",
    "NatService",
    "Net",
    "OutscaleResource",
    "PublicIp",
    "RouteTable",
    "SecurityGroup",
    "Subnet",
    "Vm",
    "Volume",
    "VolumeLink",
]
