# SPDX-License-Identifier: MIT
"""Host names compared label by label, never by prefix or substring."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit


@lru_cache(maxsize=4096)
def host_of(url: str) -> str | None:
    """The lower-case host of a URL or of `host[:port]`, without user, port, brackets and final dot; None: no host."""
    text = url.strip()
    if not text:
        return None
    try:
        name = urlsplit(text if "://" in text else f"//{text}").hostname
    except ValueError:
        return None
    return name.rstrip(".").lower() if name else None


@lru_cache(maxsize=16384)
def host_matches(host: str, pattern: str) -> bool:
    """Whether `host` is `pattern`, or lies below it when the pattern starts with `*.`."""
    name, wanted = host.rstrip(".").lower(), pattern.rstrip(".").lower()
    if wanted.startswith("*."):
        return name.endswith(wanted[1:]) and len(name) > len(wanted) - 1
    return name == wanted


def host_in(host: str, patterns: Iterable[str]) -> bool:
    """Whether any pattern matches."""
    return any(host_matches(host, pattern) for pattern in patterns)


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address a text is, or None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_private(host: str) -> bool:
    """Whether a literal address is not reachable from the Internet (loopback, private, link-local, unspecified …)."""
    literal = address_of(host)
    return literal is not None and not literal.is_global
