# SPDX-License-Identifier: MIT
"""From pydantic's errors to problems that speak the operator's keys, with the nearest known key."""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..errors import Problem
from .values import PATTERNS, without_login
from .yamlfile import Place, dotted

#: pydantic's kinds of errors → what is accepted
_TYPES = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "keys with their values, indented below it",
    "model_type": "keys with their values, indented below it",
    "model_attributes_type": "keys with their values, indented below it",
    "list_type": "a list, like [one, two]",
    "tuple_type": "a list, like [one, two]",
}
_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    datetime.date: "a date",
    datetime.datetime: "a date",
}
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
    if kind == "value_error":
        return Problem(where.file, where.line, key, str(context.get("error", item["msg"])))
    shown = _show(item["input"])
    accepted = _accepted(kind, context)
    if accepted:
        return Problem(where.file, where.line, key, f"{shown} is not accepted.", f"Accepted: {accepted}.")
    if kind == "string_type" and isinstance(item["input"], (bool, int, float, datetime.date)):
        found = f"is read as {_KINDS[type(item['input'])]}, not as text."
        return Problem(where.file, where.line, key, found, "", "Write it in quotes.")
    message = item["msg"][0].lower() + item["msg"][1:]
    return Problem(where.file, where.line, key, f"{shown}: {message}.")


def _accepted(kind: str, context: Mapping[str, Any]) -> str:
    """What would have been right, in words; empty where pydantic's own are as good."""
    if kind == "string_pattern_mismatch":
        return PATTERNS.get(context["pattern"], f"text like {context['pattern']}")
    bounds = {"greater_than_equal": ("ge", "or more"), "less_than_equal": ("le", "or less")}
    if kind in bounds:
        limit, words = bounds[kind]
        return f"{context[limit]} {words}"
    return _TYPES.get(kind, "")


def _none_of(where: Place, key: str, value: Any, expected: str) -> Problem:
    """A word that is none of the accepted ones (`expected`: as pydantic lists them), with the nearest of them."""
    near = nearest(value, re.findall(r"'([^']*)'", expected)) if isinstance(value, str) else None
    found = f"{_show(value)} is not accepted.{f' Did you mean `{near}`?' if near else ''}"
    return Problem(where.file, where.line, key, found, f"Accepted: {expected}.")


def nearest(word: str, known: Any) -> str | None:
    """The known word closest to a misspelt one, whatever the case; None when nothing is close, or two are as close."""
    by_folded = {str(each).lower(): str(each) for each in known}
    close = difflib.get_close_matches(word.lower(), by_folded, n=2, cutoff=0.6)
    scores = [difflib.SequenceMatcher(None, each, word.lower()).ratio() for each in close]
    return None if not close or len(set(scores)) < len(scores) else by_folded[close[0]]


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
    text = repr(without_login(value) if isinstance(value, str) else value)
    return text if len(text) <= 80 else f"{text[:77]}…"
