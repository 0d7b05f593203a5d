# SPDX-License-Identifier: MIT
"""From pydantic's errors to problems that speak the operator's keys, with the nearest known key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..errors import Problem
from .yamlfile import Place, dotted

Model = TypeVar("Model", bound=BaseModel)
PlaceOf = Callable[[tuple[Hashable, ...]], Place]


def validate(
    model: type[Model], data: Any, place: PlaceOf, *, under: tuple[Hashable, ...] = (), reference: str = ""
) -> tuple[Model | None, list[Problem]]:
    """Validate `data` (found at `under` in its file) and return the object, or every problem in it."""
    if data is None:
        data = {}
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        return None, [_problem(item, data, place, under, model, reference) for item in error.errors()]


def _problem(
    item: Any, data: Any, place: PlaceOf, under: tuple[Hashable, ...], model: type[BaseModel], reference: str
) -> Problem:
    path = _real_path(item["loc"], data)
    where = place((*under, *path))
    key = dotted((*under, *path))
    kind = item["type"]
    context = item.get("ctx", {})
    if kind == "extra_forbidden":
        reason = _why_absent(model, item["loc"])
        if reason:
            return Problem(where.file, where.line, key, f"is no key here: {reason}.", "", "Remove it.")
        known = known_keys(model, item["loc"][:-1])
        near = nearest(str(path[-1]) if path else "", known)
        found = f"unknown key. Did you mean `{near}`?" if near else "unknown key."
        accepted = f"Keys here: {', '.join(sorted(known))}." if known else ""
        return Problem(where.file, where.line, key, found, accepted, reference)
    if kind == "missing":
        return Problem(where.file, where.line, key, "is required and missing.", "", reference)
    if kind in ("literal_error", "enum"):
        return _none_of(where, key, item["input"], context["expected"])
    if kind == "union_tag_invalid":
        # the input is the whole mapping; what is wrong is the key that says which of the kinds it is
        tag = str(context["discriminator"]).strip("'")
        return _none_of(place((*under, *path, tag)), f"{key}.{tag}", context["tag"], context["expected_tags"])
    if kind == "union_tag_not_found":
        missing = str(context.get("discriminator", "")).strip("'")
        return Problem(where.file, where.line, f"{key}.{missing}", "is required and missing.", "", reference)
    if kind == "string_pattern_mismatch":
        accepted = f"Accepted: text like {context['pattern']}"
        return Problem(where.file, where.line, key, f"{_show(item['input'])} is not accepted.", accepted)
    if kind == "value_error":
        return Problem(where.file, where.line, key, str(context.get("error", item["msg"])))
    message = item["msg"][0].lower() + item["msg"][1:]
    return Problem(where.file, where.line, key, f"{_show(item['input'])}: {message}.")


def _none_of(where: Place, key: str, value: Any, expected: str) -> Problem:
    """A word that is none of the accepted ones (`expected`: as pydantic lists them), with the nearest of them."""
    near = nearest(value, re.findall(r"'([^']*)'", expected)) if isinstance(value, str) else None
    found = f"{_show(value)} is not accepted.{f' Did you mean `{near}`?' if near else ''}"
    return Problem(where.file, where.line, key, found, f"Accepted: {expected}.")


def nearest(word: str, known: Any) -> str | None:
    """The known word closest to a misspelt one, or None when nothing is close."""
    close = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def known_keys(model: type[BaseModel], loc: tuple[Any, ...]) -> list[str]:
    """The keys that the (sub-)model at `loc` accepts; union tags and list indexes in `loc` are followed."""
    models = _models_at(model, loc)
    return sorted({field.alias or name for item in models for name, field in item.model_fields.items()})


def _why_absent(model: type[BaseModel], loc: tuple[Any, ...]) -> str:
    """Why a (sub-)model lacks a key that its neighbours have, where it says so in `absent`."""
    said = [getattr(item, "absent", {}).get(loc[-1], "") for item in _models_at(model, loc[:-1])]
    return next(filter(None, said), "")


def _models_at(model: type[BaseModel], loc: tuple[Any, ...]) -> list[type[BaseModel]]:
    current: Any = model
    for part in loc:
        current = _step(current, part)
        if current is None:
            return []
    return list(_models(current))


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models(part)]


def _step(annotation: Any, part: Any) -> Any:
    for model in _models(annotation):
        for name, field in model.model_fields.items():
            if part in (name, field.alias):
                return field.annotation
    for model in _models(annotation):
        tags = [field.annotation for field in model.model_fields.values() if _is_tag(field.annotation, part)]
        if tags:
            return model
    return annotation


def _is_tag(annotation: Any, part: Any) -> bool:
    return getattr(annotation, "__args__", ()) == (part,)


def _real_path(loc: tuple[Any, ...], data: Any) -> tuple[Hashable, ...]:
    """Drop what pydantic adds to a location (union tags, type names) and the data does not have."""
    path: list[Hashable] = []
    current = data
    for index, part in enumerate(loc):
        last = index == len(loc) - 1
        if isinstance(current, dict):
            if part in current:
                current = current[part]
                path.append(part)
            elif last:
                path.append(part)
        elif isinstance(current, (list, tuple)) and isinstance(part, int) and part < len(current):
            current = current[part]
            path.append(part)
    return tuple(path)


def _show(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
