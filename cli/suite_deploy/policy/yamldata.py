# SPDX-License-Identifier: MIT
"""Plain YAML data that we ship, read quickly; what operators write goes through model.yamlfile, which keeps places."""

from __future__ import annotations

from typing import Any

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse(text: str | bytes) -> Any:
    """The one document in `text`, safe types only. Raises yaml.YAMLError."""
    loader = _LOADER(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
