# SPDX-License-Identifier: MIT
"""Outscale's published API description, as it ships inside osc-sdk-python, used as a judge."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import yaml


@functools.cache
def document() -> dict[str, Any]:
    """The whole description (OpenAPI 3)."""
    import osc_sdk_python

    path = Path(osc_sdk_python.__file__).parent / "resources" / "outscale.yaml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: dict[str, Any] = loader(path.read_text(encoding="utf-8")).get_single_data()
    return found


def known(action: str) -> bool:
    """Whether the API has this action."""
    return f"/{action}" in document()["paths"]


def wrong(name: str, content: Any) -> list[str]:
    """What of `content` does not fit the schema of that name, as readable lines."""
    found = _validator(name).iter_errors(content)
    return [f"{name}: {'.'.join(str(part) for part in error.path) or 'body'}: {error.message}" for error in found]


@functools.cache
def _validator(name: str) -> Any:
    import jsonschema

    schema = {"$ref": f"#/components/schemas/{name}", "components": document()["components"]}
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
