# SPDX-License-Identifier: MIT
"""JSON Schemas for editors. They help while typing; `suite-deploy check` is the judge."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from ..images.lock import LockFile
from ..images.recipe import RecipeFile
from ..model.component import ComponentFile
from ..model.components import describe, options_model, slugs
from ..model.suite import SuiteFile
from ..policy.waivers import Waiver
from ..secrets.wanted import NAME
from .describing import description, docstring, key_of, one_or_more, reachable

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def all_schemas() -> dict[str, str]:
    """File name → text."""
    made = {
        "suite.schema.json": _suite(),
        "component.schema.json": _of(ComponentFile, "component.yml: one component"),
        "image-recipe.schema.json": _of(RecipeFile, "image.yml: how an image is made from packages"),
        "images-lock.schema.json": _of(LockFile, "images.lock.yml: which digest each image's tag stands for"),
        "secrets.schema.json": _secrets(),
        "waivers.schema.json": _waivers(),
    }
    return {
        name: json.dumps({"$schema": DIALECT, **schema}, indent=2, ensure_ascii=False) + "\n"
        for name, schema in made.items()
    }


def _suite() -> dict[str, Any]:
    schema = _of(SuiteFile, "suite.yml: what is wanted")
    definitions, components = schema["$defs"], {}
    for slug in slugs():
        options = options_model(slug, describe(slug))
        own = _of(options, f"Options of {describe(slug).title}")
        definitions |= own.pop("$defs", {})
        definitions[f"components.{slug}"] = own
        components[slug] = {"anyOf": [{"$ref": f"#/$defs/components.{slug}"}, {"type": "null"}]}
    schema["properties"]["components"] = {
        "description": "What is deployed, with each component's options.",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": components,
    }
    extends = "Another suite.yml to build on (a path, or builtin:NAME): maps merge, lists replace, null removes."
    schema["properties"]["extends"] = {"type": "string", "minLength": 1, "description": extends}
    overlay = {f"overlay.{name}": _overlay(item) for name, item in definitions.items()}
    overlay["overlay"] = _overlay({key: schema[key] for key in ("properties", "additionalProperties")})
    definitions = definitions | overlay | {"whole": {key: schema.pop(key) for key in ("properties", "required")}}
    del schema["additionalProperties"]
    definitions["whole"]["additionalProperties"] = False
    # what builds on another file need not repeat what is required there, and may remove
    choice = {"if": {"required": ["extends"]}, "then": {"$ref": "#/$defs/overlay"}, "else": {"$ref": "#/$defs/whole"}}
    return schema | choice | {"$defs": definitions}


def _overlay(schema: Any) -> Any:
    """A schema for a part of what it describes: nothing is required, and null stands for removal."""
    if isinstance(schema, list):
        return [_overlay(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "$ref":
            result[key] = value.replace("#/$defs/", "#/$defs/overlay.")
        elif key in ("properties", "patternProperties"):
            result[key] = {name: _or_null(_overlay(item)) for name, item in value.items()}
        elif key == "additionalProperties" and isinstance(value, dict):
            result[key] = _or_null(_overlay(value))
        elif key not in ("required", "discriminator", "default", "minProperties"):
            result["anyOf" if key == "oneOf" else key] = _overlay(value)
    return result


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _secrets() -> dict[str, Any]:
    value = {
        "type": "string",
        "minLength": 1,
        "description": "`!vault |` and the vaulted value; plain text on local only.",
    }
    return {
        "title": "secrets.yml: the secrets of a suite",
        "type": "object",
        "additionalProperties": False,
        "required": ["suite_secrets"],
        "properties": {
            "suite_secrets": {
                "type": "object",
                "description": "<component>.<name>, as `suite-deploy secrets list` shows them.",
                "patternProperties": {f"^{NAME.pattern}$": value},
                "additionalProperties": False,
            }
        },
    }


def _waivers() -> dict[str, Any]:
    waiver = _of(Waiver, "One exception")
    definitions = waiver.pop("$defs", {})
    return {
        "title": "waivers.yml: exceptions with a reason, an owner and an end",
        "type": "object",
        "additionalProperties": False,
        "required": ["schema", "waivers"],
        "properties": {"schema": {"const": 1}, "waivers": {"type": "array", "items": {"$ref": "#/$defs/Waiver"}}},
        "$defs": definitions | {"Waiver": waiver},
    }


def _of(model: type[BaseModel], title: str) -> dict[str, Any]:
    """A model's schema with the descriptions that the code holds as comments."""
    schema = model.model_json_schema(by_alias=True)
    known = reachable(model)
    _describe(schema, model)
    for name, definition in schema.get("$defs", {}).items():
        if name in known:
            _describe(definition, known[name])
    return _plain(schema) | {"title": title}


def _describe(schema: dict[str, Any], model: type[BaseModel]) -> None:
    text = docstring(model)
    if text:
        schema["description"] = text
    for name, field in model.model_fields.items():
        key = schema["properties"][key_of(name, field)]
        said = description(model, name)
        if one_or_more(field):
            item = dict(key["items"])
            default = {"default": key.pop("default")} if "default" in key else {}
            schema["properties"][key_of(name, field)] = key = {"anyOf": [item, dict(key)], **default}
        if said:
            key["description"] = said


def _plain(schema: Any) -> Any:
    """Without the titles that only repeat a key's name."""
    if isinstance(schema, dict):
        return {key: _plain(value) for key, value in schema.items() if not (key == "title" and isinstance(value, str))}
    return [_plain(item) for item in schema] if isinstance(schema, list) else schema
