# SPDX-License-Identifier: MIT
"""Outscale, for mocks: whatever is made gets an id and addresses, and nothing is asked."""

from __future__ import annotations

import threading
from typing import Any

import pulumi


class Ids(pulumi.runtime.Mocks):
    """Gives out ids and addresses."""

    def __init__(self) -> None:
        self.number, self.lock = 3, threading.Lock()

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        with self.lock:
            self.number += 1
        computed = {"publicIp": f"203.0.113.{self.number}", "privateIp": f"10.64.0.{self.number}"}
        computed["deviceName"] = "/dev/xvdb" if args.name.endswith("postgresql") else "/dev/xvdc"
        return f"{args.name}-id", {**args.inputs, **computed}

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        raise AssertionError(f"the program asks {args.token}: it must know everything from the inventory")
