# SPDX-License-Identifier: MIT
"""The configuration file of LiveKit, read as strictly as LiveKit 1.13.5 reads it (pkg/config/config.go)."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

KEYS = Path(__file__).with_name("keys.txt")
_OTHERS = 0o007
_DOMAIN = re.compile(r"^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z]{2,}$")


class Refused(Exception):
    """Why the real server would not start, in one line that names the setting."""


@dataclass(frozen=True)
class Settings:
    """What the double needs to know."""

    addresses: tuple[str, ...]
    port: int
    keys: Mapping[str, str]
    node_ip: str
    tcp_port: int
    udp_ports: tuple[int, ...]
    udp_addresses: tuple[ipaddress.IPv4Network, ...]
    turn_udp_port: int
    turn_tls_port: int
    relay: tuple[int, int]
    auto_create: bool
    max_participants: int
    webhook_key: str
    webhook_urls: tuple[str, ...]


def read(path: Path) -> Settings:
    """Read and check. Raises Refused."""
    try:
        data = yaml.safe_load(path.read_text())
    except OSError as error:
        raise Refused(f"--config: {error.strerror}: {path}") from error
    except yaml.YAMLError as error:
        raise Refused(f"could not parse config: {error}") from error
    if not isinstance(data, dict):
        raise Refused("could not parse config: no settings in it")
    patterns = [line for line in KEYS.read_text().splitlines() if line]
    strange = sorted(name for name in _dotted(data) if not any(fnmatchcase(name, item) for item in patterns))
    if strange:
        raise Refused(f"could not parse config: field {strange[0]} not found")
    rtc, turn, room, webhook = (data.get(name) or {} for name in ("rtc", "turn", "room", "webhook"))
    keys = _keys(data)
    node_ip = _node_ip(rtc)
    _turn(turn)
    return Settings(
        addresses=tuple(data.get("bind_addresses") or [""]),
        port=int(data.get("port", 7880)),
        keys=keys,
        node_ip=node_ip,
        tcp_port=int(rtc.get("tcp_port", 7881)),
        udp_ports=_span(rtc.get("udp_port")),
        udp_addresses=tuple(ipaddress.IPv4Network(item) for item in (rtc.get("ips") or {}).get("includes") or []),
        turn_udp_port=int(turn.get("udp_port", 0)) if turn.get("enabled") else 0,
        turn_tls_port=int(turn.get("tls_port", 0)) if turn.get("enabled") else 0,
        relay=(int(turn.get("relay_range_start", 30000)), int(turn.get("relay_range_end", 40000))),
        auto_create=bool(room.get("auto_create", True)),
        max_participants=int(room.get("max_participants", 0)),
        webhook_key=_webhook_key(webhook, keys),
        webhook_urls=tuple(webhook.get("urls") or ()),
    )


def _keys(data: Mapping[str, Any]) -> dict[str, str]:
    keys = data.get("keys") or {}
    if data.get("key_file"):
        path = Path(os.path.expandvars(str(data["key_file"])))
        try:
            if path.stat().st_mode & _OTHERS:
                raise Refused(f"key_file: {path} is readable or writable by others, set permissions to 600")
            keys = yaml.safe_load(path.read_text())
        except OSError as error:
            raise Refused(f"key_file: {error.strerror}: {path}") from error
        except yaml.YAMLError as error:
            raise Refused(f"key_file: {error}") from error
    if not isinstance(keys, dict) or not keys:
        raise Refused("one of key_file or keys must be provided")
    return {str(key): str(secret) for key, secret in keys.items()}


def _node_ip(rtc: Mapping[str, Any]) -> str:
    if rtc.get("use_external_ip"):
        raise Refused("rtc.use_external_ip: the address would be asked of STUN servers, and nobody outside may be")
    if rtc.get("port_range_start") and rtc.get("udp_port"):
        raise Refused("rtc.udp_port: not used while rtc.port_range_start is set")
    found = str(rtc.get("node_ip") or "")
    try:
        return str(ipaddress.ip_address(found))
    except ValueError as error:
        raise Refused(f"rtc.node_ip: invalid ip {found!r}") from error


def _turn(turn: Mapping[str, Any]) -> None:
    if not turn.get("enabled"):
        return
    tls_port, udp_port = int(turn.get("tls_port", 0)), int(turn.get("udp_port", 0))
    if tls_port <= 0 and udp_port <= 0:
        raise Refused("turn: invalid TURN ports")
    if tls_port > 0:
        domain = str(turn.get("domain") or "")
        if not domain:
            raise Refused("turn.domain: TURN domain required")
        if not _DOMAIN.match(domain):
            raise Refused(f"turn.domain: TURN domain is not correct: {domain}")
        if not turn.get("external_tls"):
            raise Refused("turn.cert_file: TURN tls cert required")
    for network in (*(turn.get("allow_restricted_peer_cidrs") or ()), *(turn.get("deny_peer_cidrs") or ())):
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError as error:
            raise Refused(f"turn.allow_restricted_peer_cidrs: {error}") from error


def _webhook_key(webhook: Mapping[str, Any], keys: Mapping[str, str]) -> str:
    if not webhook.get("urls"):
        return ""
    key = str(webhook.get("api_key") or "")
    if key not in keys:
        raise Refused("webhook.api_key: api_key is required to use webhooks, and must be one of the keys")
    return key


def _span(ports: Any) -> tuple[int, ...]:
    if not ports:
        raise Refused("rtc.udp_port: none set, the server would take 50000-60000")
    first, _, last = str(ports).partition("-")
    if last and int(last) <= int(first):
        raise Refused(f"rtc.udp_port: end port {last} must be greater than start port {first}")
    return tuple(range(int(first), int(last or first) + 1))


def _dotted(value: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{prefix}{key}"
            yield from _dotted(inner, f"{prefix}{key}.")
    elif isinstance(value, list):
        for inner in value:
            yield from _dotted(inner, prefix)
