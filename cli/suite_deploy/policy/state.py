# SPDX-License-Identifier: MIT
"""Resources of an exported engine state, as rules see them. Secrets are never decrypted and never shown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import InvalidInput, Problem
from .resource import UNKNOWN, Resource

#: how the engine marks special values in its files
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
HIDDEN = "[secret]"
SECRETS_PROVIDER = "suite:state:SecretsProvider"
MAX_BYTES = 512 * 1024 * 1024


def read_state(path: Path) -> tuple[Resource, ...]:
    """Every resource of a state file: an export (`pulumi stack export`) or a checkpoint of a file backend.

    Raises InvalidInput when it is neither.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InvalidInput([Problem(str(path), 0, "", f"is larger than {MAX_BYTES:,} bytes.")])
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput([Problem(str(path), 0, "", f"cannot be read: {error.strerror or error}.")]) from error
    except ValueError as error:
        raise InvalidInput([Problem(str(path), 0, "", f"is no JSON: {error}.")]) from error
    latest = _latest(data)
    if latest is None:
        found = "is no exported state: neither `deployment` nor `checkpoint` is in it."
        raise InvalidInput([Problem(str(path), 0, "", found, "", "Export one with `pulumi stack export --file FILE`.")])
    return tuple(resources_of(latest))


def resources_of(deployment: Mapping[str, Any]) -> Iterator[Resource]:
    """The resources of a deployment's latest state, each with its provider's inputs, and its secrets provider."""
    rows = [row for row in deployment.get("resources") or [] if isinstance(row, Mapping)]
    providers = {
        f"{row['urn']}::{row.get('id', '')}": _plain(row.get("inputs") or {})
        for row in rows
        if str(row.get("type", "")).startswith("pulumi:providers:")
    }
    for row in rows:
        if row.get("delete"):
            continue
        yield Resource(
            type=str(row.get("type", "")),
            urn=str(row.get("urn", "")),
            props=_plain(row.get("inputs") or {}),
            provider=providers.get(str(row.get("provider", "")), {}),
        )
    secrets = deployment.get("secrets_providers") or {}
    stack = str(rows[0].get("urn", "")).split("::")[0] if rows else "urn:pulumi:state"
    given = secrets.get("state")
    details: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    yield Resource(
        type=SECRETS_PROVIDER,
        urn=f"{stack}::{SECRETS_PROVIDER}::secrets",
        props={"type": str(secrets.get("type", "")), "url": str(details.get("url", ""))},
    )


def _latest(data: Any) -> Mapping[str, Any] | None:
    if not isinstance(data, Mapping):
        return None
    found = data.get("deployment")
    if found is None and isinstance(data.get("checkpoint"), Mapping):
        found = data["checkpoint"].get("latest") or {}
    return found if isinstance(found, Mapping) else None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        if _SIGNATURE in value:
            return HIDDEN
        return {key: _plain(item) for key, item in value.items() if key != "__provider"}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return UNKNOWN if value == _UNKNOWN_TEXT else value
