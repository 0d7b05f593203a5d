# SPDX-License-Identifier: MIT
"""Which TCP ports answer, asked from where the command runs."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

#: seconds until silence counts as closed; a host that answers does so in milliseconds
PATIENCE = 1.5


def answers(address: str, port: int, patience: float = PATIENCE) -> bool:
    """Whether something accepts a TCP connection."""
    try:
        with socket.create_connection((address, port), timeout=patience):
            return True
    except OSError:
        return False


def open_ports(addresses: Iterable[str], ports: Iterable[int]) -> list[tuple[str, int]]:
    """(address, port) of everything that answers; all are asked at once."""
    wanted = [(address, port) for address in dict.fromkeys(addresses) for port in sorted(set(ports))]
    if not wanted:
        return []
    with ThreadPoolExecutor(max_workers=min(32, len(wanted))) as pool:
        results = list(pool.map(lambda place: answers(*place), wanted))
    return [place for place, is_open in zip(wanted, results, strict=True) if is_open]


def own_address(towards: str) -> str:
    """This machine's address on the way to `towards`; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((towards, 9))
        return str(probe.getsockname()[0])
