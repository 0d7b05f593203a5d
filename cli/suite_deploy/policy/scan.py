# SPDX-License-Identifier: MIT
"""Reading rendered configuration: its structure, the settings in it, and the hosts it names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import yaml

from .hosts import address_of, host_of, is_private
from .yamldata import parse

#: how component.yml says that a key must not be there
ABSENT: Final = "absent"


class _Missing:
    """A setting that is not there; no text in a file equals it."""

    def __repr__(self) -> str:
        return "<missing>"


MISSING: Final = _Missing()

_URL = re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://(?:[^\s/@'\"<>]*@)?(\[[0-9a-fA-F:.]+\]|[^\s/:'\"<>,;)\]}\\?#]+)")
_STUN = re.compile(r"\b(?:stuns?|turns?):(?!//)([A-Za-z0-9.-]+\.[A-Za-z]{2,})")
_BARE = re.compile(r"^(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)+([a-z]{2,})\.?(?::\d{1,5})?$", re.IGNORECASE)
_ADDRESS = re.compile(r"^(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?(?:/\d{1,2})?$")
_SPLIT = re.compile(r"[\s,;|=\"'()<>]+")
#: two-letter endings are country codes, unless the word looks like a file; longer ones count when they are common
_LONG = frozenset((
    "com", "net", "org", "info", "biz", "app", "dev", "cloud", "xyz", "online", "site", "tech", "live", "chat",
    "page", "link", "space", "store", "systems", "network", "services", "digital", "agency", "media", "tools",
    "software", "email", "team", "world", "global", "alsace", "bzh", "corsica", "paris", "eus", "cat", "gal",
    "scot", "wales", "berlin", "hamburg", "koeln", "tirol", "wien", "brussels", "vlaanderen", "gent", "frl",
    "amsterdam", "madrid", "barcelona", "company", "host", "hosting", "center",
))  # fmt: skip
_FILE_LIKE = frozenset(("py", "sh", "md", "rs", "pl", "ps", "so", "cc", "gz", "ps", "tf", "ts", "js", "in", "pm"))
#: identifiers that look like addresses and are never called
NAMESPACES = frozenset(("www.w3.org", "schemas.xmlsoap.org", "schemas.microsoft.com", "json-schema.org", "purl.org"))
_UNIT_SKIP = re.compile(
    r"^\s*(?:#|;|(?:Image|Documentation|Network|After|Before|Requires|Wants|PartOf|BindsTo|WantedBy|RequiredBy)=)"
)


@lru_cache(maxsize=256)
def structure(name: str, text: str) -> Any:
    """The parsed content of a rendered file by its ending, None when it has no structure we read."""
    try:
        if name.endswith((".yaml", ".yml")):
            return parse(text)
        if name.endswith(".json"):
            return json.loads(text)
    except (yaml.YAMLError, ValueError):
        return None
    if name.endswith(".env"):
        pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.lstrip().startswith("#"))
        return {key.strip(): value for key, value in pairs}
    return None


def setting(data: Any, key: str) -> Any:
    """The value at a dotted key, MISSING when some part is missing; a key holding dots is tried as written first."""
    if isinstance(data, Mapping):
        if key in data:
            return data[key]
        parts = key.split(".")
        for end in range(len(parts) - 1, 0, -1):
            head = ".".join(parts[:end])
            if head in data:
                return setting(data[head], ".".join(parts[end:]))
    return MISSING


def setting_paths(data: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of structured data with its dotted path; nothing for data without structure."""
    if isinstance(data, Mapping):
        for key, item in data.items():
            yield from setting_paths(item, f"{path}.{key}" if path else str(key))
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from setting_paths(item, f"{path}[{index}]")
    elif data is not None and path:
        yield path, data


def same_value(found: Any, wanted: Any) -> bool:
    """Equality across the texts of environment files: `False`, "false" and false are one value there."""
    if isinstance(found, str) and not isinstance(wanted, str):
        try:
            parsed = json.loads(found) if isinstance(wanted, (list, dict, int, float)) and wanted is not True else found
        except ValueError:
            parsed = found
        if parsed == wanted and type(parsed) is type(wanted):
            return True
        return isinstance(wanted, bool) and found.strip().lower() == str(wanted).lower()
    if isinstance(found, bool) != isinstance(wanted, bool):
        return False
    return bool(found == wanted)


def hosts_in(name: str, text: str) -> Iterator[tuple[str, str]]:
    """(host, where) of every host that a rendered file names: in values of structured files, else line by line."""
    data = structure(name, text)
    if data is not None and not name.endswith(".env"):
        seen: set[str] = set()
        for path, value in _strings(data):
            for host in hosts_of_text(value):
                if host not in seen:
                    seen.add(host)
                    yield host, path
        return
    found: set[str] = set()
    for number, line in enumerate(text.splitlines(), start=1):
        if _UNIT_SKIP.match(line):
            continue
        for host in hosts_of_text(line):
            if host not in found:
                found.add(host)
                yield host, f"line {number}"


def hosts_of_text(text: str) -> Iterator[str]:
    """Hosts in one value: of URLs anywhere, of bare names and public addresses that stand alone in it."""
    if "." not in text and ":" not in text:
        return
    for match in _URL.finditer(text):
        host = host_of(match.group(1)) if "%" not in match.group(1) else None
        if host and _counts(host):
            yield host
    for match in _STUN.finditer(text):
        yield match.group(1).lower()
    if "://" in text:
        text = _URL.sub(" ", text)
    if len(text) > 4096:
        return
    for word in _SPLIT.split(text):
        host = _bare(word)
        if host:
            yield host


def _bare(word: str) -> str | None:
    word = word.strip(".")
    if _ADDRESS.match(word):
        literal, _, prefix = word.partition("/")
        if prefix and int(prefix) < 32:
            return None
        literal = literal.partition(":")[0]
        return literal if address_of(literal) is not None and not is_private(literal) else None
    found = _BARE.match(word)
    if not found:
        return None
    name = word.partition(":")[0].lower().rstrip(".")
    ending = found.group(1).lower()
    dots = name.count(".")
    if ending in _LONG or (len(ending) == 2 and not (ending in _FILE_LIKE and dots == 1)):
        return name if _counts(name) else None
    return None


def _counts(host: str) -> bool:
    """Whether a name can lead out: not a placeholder, not a single label, not a private address."""
    if address_of(host) is not None:
        return not is_private(host)
    return "." in host and "{" not in host and "$" not in host and host not in NAMESPACES


def _strings(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            # keys name hosts too: allow-lists, per-server settings
            if isinstance(key, str) and "." in key:
                yield path or key, key
            yield from _strings(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _strings(item, f"{path}[{index}]")
