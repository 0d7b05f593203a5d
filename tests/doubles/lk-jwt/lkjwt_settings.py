# SPDX-License-Identifier: MIT
"""The environment of lk-jwt-service, read as 0.6.0 reads it (config.go); the double also refuses names it never had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: config.go and main.go of the version this stands for
NAMES = frozenset(
    (
        "LIVEKIT_CS_API_URL_OVERRIDES",
        "LIVEKIT_FULL_ACCESS_HOMESERVERS",
        "LIVEKIT_INSECURE_SKIP_VERIFY_TLS",
        "LIVEKIT_JWT_BIND",
        "LIVEKIT_JWT_PORT",
        "LIVEKIT_KEY",
        "LIVEKIT_KEY_FILE",
        "LIVEKIT_KEY_FROM_FILE",
        "LIVEKIT_LOG_LEVEL",
        "LIVEKIT_REDIS_URL",
        "LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS",
        "LIVEKIT_SECRET",
        "LIVEKIT_SECRET_FROM_FILE",
        "LIVEKIT_URL",
    )
)
_SPACE = " \r\n"


class Refused(Exception):
    """Why the real service would not start, in one line that names the setting."""


@dataclass(frozen=True)
class Settings:
    """What the double needs to know."""

    key: str
    secret: str
    url: str
    full_access: tuple[str, ...]
    host: str
    port: int

    def makes_rooms_for(self, server_name: str) -> bool:
        """Whether people of a homeserver may start a call."""
        return self.full_access == ("*",) or server_name in self.full_access


def read(environment: Mapping[str, str]) -> Settings:
    """Read and check. Raises Refused."""
    strange = sorted(name for name in environment if name.startswith("LIVEKIT_") and name not in NAMES)
    if strange:
        raise Refused(f"{strange[0]}: lk-jwt-service reads no such variable")
    if environment.get("LIVEKIT_INSECURE_SKIP_VERIFY_TLS"):
        raise Refused("LIVEKIT_INSECURE_SKIP_VERIFY_TLS: anybody could be anybody")
    key, secret = _pair(environment)
    url = environment.get("LIVEKIT_URL", "")
    if not key or not secret or not url:
        raise Refused("LIVEKIT_KEY* / LIVEKIT_SECRET* and LIVEKIT_URL must be set")
    full_access = environment.get("LIVEKIT_FULL_ACCESS_HOMESERVERS", "").replace(",", " ").split()
    if not full_access:
        raise Refused("LIVEKIT_FULL_ACCESS_HOMESERVERS must be set to the homeservers you intend to serve")
    bind, port = environment.get("LIVEKIT_JWT_BIND", ""), environment.get("LIVEKIT_JWT_PORT", "")
    if bind and port:
        raise Refused("LIVEKIT_JWT_BIND and LIVEKIT_JWT_PORT must not be set together")
    host, _, number = (bind or f":{port or 8080}").rpartition(":")
    if not number.isdigit():
        raise Refused(f"LIVEKIT_JWT_BIND: {bind!r} has no port")
    seconds = environment.get("LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS", "")
    if seconds and not seconds.isdigit():
        raise Refused(f"LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS must be a non-negative integer, got {seconds!r}")
    return Settings(key, secret, url, tuple(full_access), host, int(number))


def _pair(environment: Mapping[str, str]) -> tuple[str, str]:
    if environment.get("LIVEKIT_KEY_FILE"):
        parts = _content(environment, "LIVEKIT_KEY_FILE").split(":")
        if len(parts) != 2:
            raise Refused("LIVEKIT_KEY_FILE: invalid key secret file format!")
        return parts[0].strip(_SPACE), parts[1].strip(_SPACE)
    found = []
    for name in ("LIVEKIT_KEY", "LIVEKIT_SECRET"):
        from_file = f"{name}_FROM_FILE"
        text = _content(environment, from_file) if environment.get(from_file) else environment.get(name, "")
        found.append(text.strip(_SPACE))
    return found[0], found[1]


def _content(environment: Mapping[str, str], name: str) -> str:
    try:
        return Path(environment[name]).read_text()
    except OSError as error:
        raise Refused(f"{name}: {error.strerror}: {environment[name]}") from error
