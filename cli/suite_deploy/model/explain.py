# SPDX-License-Identifier: MIT
"""`check --explain KEY`: a value, and whether it was written, inherited, a default or derived."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml
from pydantic import BaseModel

from ..errors import InvalidInput, Problem
from .deployment import Deployment
from .inventory import Inventory
from .sizing import reasons
from .validation import nearest


def explain(inventory: Inventory, deployment: Deployment, key: str) -> str:
    """The text for one dotted key. Raises InvalidInput when there is no such key, with the nearest one."""
    path = parse_key(key)
    value = _resolved(deployment, path)
    lines = [f"{key} = {_show(value)}"]
    written = inventory.places.get(path)
    if written:
        lines.append(f"  written in {written.file}:{written.line}")
        for place in reversed(inventory.overridden.get(path, [])):
            lines.append(f"  which replaces {place.file}:{place.line}")
    else:
        below = sorted(
            {f"{place.file}:{place.line}" for known, place in inventory.places.items() if _below(known, path)}
        )
        lines.append(f"  written in {', '.join(below)}" if below else f"  {_origin(path)}")
        if not below and path[:2] == ("infrastructure", "hosts"):
            lines += [f"  {reason}" for reason in reasons(deployment)]
    return "\n".join(lines)


def parse_key(key: str) -> tuple[Hashable, ...]:
    """`hosts.a[0]` → `('hosts', 'a', 0)`; component names may hold dots nowhere, so dots split."""
    parts: list[Hashable] = []
    for piece in key.split("."):
        match = re.match(r"^([^\[\]]+)((\[\d+\])*)$", piece)
        if not match:
            raise InvalidInput(
                [Problem("--explain", 0, key, "is no key. Write it like `components.synapse.federation`.")]
            )
        parts.append(match.group(1))
        parts += [int(index) for index in re.findall(r"\[(\d+)\]", match.group(2))]
    return tuple(parts)


def _below(known: tuple[Hashable, ...], path: tuple[Hashable, ...]) -> bool:
    return len(known) > len(path) and known[: len(path)] == path


def _origin(path: tuple[Hashable, ...]) -> str:
    if path[:2] == ("infrastructure", "hosts"):
        return "not written: derived from the driver and `users`"
    if path[0] == "components" and path[-1] == "hostname":
        return "not written: the component's usual label under `domain`"
    if path[0] == "components" and path[-1] == "host":
        return "not written: the first host of the component's group"
    return "not written: the default"


def _resolved(deployment: Deployment, path: tuple[Hashable, ...]) -> Any:
    current: Any = _tree(deployment)
    for index, part in enumerate(path):
        try:
            current = current[part]
        except (KeyError, IndexError, TypeError):
            known = [str(item) for item in current] if isinstance(current, dict) else []
            near = nearest(str(part), known)
            found = f"no such key. Did you mean `{near}`?" if near else "no such key."
            accepted = f"Keys at this place: {', '.join(known)}." if known else ""
            so_far = ".".join(str(item) for item in path[: index + 1])
            raise InvalidInput([Problem("--explain", 0, so_far, found, accepted)]) from None
    return current


def _tree(deployment: Deployment) -> dict[str, Any]:
    tree: dict[str, Any] = deployment.suite.model_dump(by_alias=True, mode="json")
    tree["infrastructure"]["hosts"] = {
        host.name: {
            "groups": list(host.groups),
            "flavor": host.flavor,
            "volumes": dict(host.volumes),
            "public": host.public,
            "private_address": host.private_address,
            **({"vcpus": host.vcpus, "memory_mib": host.memory_mib} if host.vcpus else {}),
        }
        for host in deployment.hosts
    }
    tree["components"] = {
        slug: {"hostname": item.hostname, "host": item.host, **_plain(dict(item.options))}
        for slug, item in deployment.components.items()
    }
    tree["state"] = {"directory": str(deployment.state_dir)}
    return tree


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True, mode="json")
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _show(value: Any) -> str:
    if isinstance(value, (dict, list)):
        text = yaml.safe_dump(value, sort_keys=False, default_flow_style=False).rstrip()
        return "\n" + "\n".join(f"  {line}" for line in text.splitlines()) if value else str(value)
    return "not set" if value is None else str(value)
