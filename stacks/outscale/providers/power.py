# SPDX-License-Identifier: MIT
"""Stopping and starting hosts: properly, within limits, and one hand at a time."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from .client import Answer, Client
from .errors import ApiError, OutscaleError, TimedOut
from .pace import PACE, until

#: seconds until a host that was started runs
START = 600.0
#: Outscale's tag that names the public address a host keeps over a stop and start
KEEP_ADDRESS = "osc.fcu.eip.auto-attach"
_DOWN = frozenset(("stopped", "terminated", "shutting-down", "gone"))
_HANDS: dict[str, threading.RLock] = defaultdict(threading.RLock)


@contextmanager
def powered_off(client: Client, vm: str) -> Iterator[Answer]:
    """The host, stopped for the block; started afterwards when it ran before. Its public address stays linked."""
    with _HANDS[vm]:
        before = _vm(client, vm)
        ran = before.get("State") in ("running", "pending")
        stop(client, vm)
        try:
            yield before
        finally:
            if ran:
                start(client, vm)


def stop(client: Client, vm: str) -> None:
    """Stop a host, first by asking its system, then by switching it off. Does nothing where it is stopped or gone."""
    if _state(client, vm) in _DOWN:
        return
    _ask(client, "StopVms", vm, _DOWN | {"stopping"})
    try:
        until(lambda: _state(client, vm) in _DOWN or None, f"VM {vm} to stop", PACE.shutdown)
    except TimedOut:
        client.read("StopVms", VmIds=[vm], ForceStop=True)
        until(lambda: _state(client, vm) in _DOWN or None, f"VM {vm} to be switched off", START)


def start(client: Client, vm: str) -> None:
    """Start a host and link the public address it had: a stop may have unlinked it."""
    before = _vm(client, vm)
    if before.get("State") != "running":
        _ask(client, "StartVms", vm, frozenset(("pending", "running")))
        until(lambda: _state(client, vm) == "running" or None, f"VM {vm} to run", START)
    wanted = next((tag["Value"] for tag in before.get("Tags") or () if tag.get("Key") == KEEP_ADDRESS), None)
    if wanted and _vm(client, vm).get("PublicIp") != wanted:
        client.read("LinkPublicIp", PublicIp=wanted, VmId=vm, AllowRelink=True)


def _ask(client: Client, action: str, vm: str, under_way: frozenset[str]) -> None:
    """Repeating it is refused for the host's state: where that is what was asked for, an answer was lost."""
    try:
        client.read(action, VmIds=[vm])
    except ApiError as error:
        if not error.is_busy or _state(client, vm) not in under_way:
            raise


def _vm(client: Client, vm: str) -> Answer:
    found = client.read("ReadVms", Filters={"VmIds": [vm]}).get("Vms") or []
    if not found:
        raise OutscaleError(f"VM {vm} is gone: run it again with a refresh")
    live: Answer = found[0]
    return live


def _state(client: Client, vm: str) -> str:
    found = client.read("ReadVms", Filters={"VmIds": [vm]}).get("Vms") or [{"State": "gone"}]
    return str(found[0].get("State"))
