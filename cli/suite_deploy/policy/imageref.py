# SPDX-License-Identifier: MIT
"""Image references as container tools read them: a name without a registry is Docker Hub's."""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT_REGISTRY = "docker.io"
_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")
_ALIASES = {"index.docker.io": DEFAULT_REGISTRY, "registry-1.docker.io": DEFAULT_REGISTRY}


@dataclass(frozen=True)
class ImageReference:
    """registry: host[:port]. path: repository. tag, digest: as written, empty when absent."""

    registry: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        """registry/path."""
        return f"{self.registry}/{self.path}"

    @property
    def by_digest(self) -> bool:
        """Whether a well-formed SHA-256 digest pins it."""
        return bool(_DIGEST.match(self.digest))


def parse_reference(text: str) -> ImageReference:
    """Parse and normalise: `synapse:1` is docker.io/library/synapse:1; a registry has a dot or a port."""
    rest, _, digest = text.strip().partition("@")
    first, slash, remainder = rest.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, path = first.lower(), remainder
    else:
        registry, path = DEFAULT_REGISTRY, rest
    path, _, tag = path.partition(":")
    registry = _ALIASES.get(registry, registry)
    if registry == DEFAULT_REGISTRY and "/" not in path:
        path = f"library/{path}"
    return ImageReference(registry, path, tag, digest)


def is_under(reference: ImageReference, allowed: str) -> bool:
    """Whether a reference lies in `allowed` (`host[:port][/path]`), compared up to a slash, never by prefix."""
    host, slash, path = allowed.rstrip("/").partition("/")
    pattern = host.lower()
    bare = reference.registry
    same = bare == pattern or (pattern.startswith("*.") and bare.endswith(pattern[1:]) and len(bare) > len(pattern) - 1)
    return same and (not slash or reference.path == path or reference.path.startswith(path + "/"))
