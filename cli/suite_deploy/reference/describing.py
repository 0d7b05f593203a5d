# SPDX-License-Identifier: MIT
"""What a pydantic model says of its keys, in words: `#:` comments, accepted values, defaults."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from ..model.values import PATTERNS

_PLAIN = {str: "text", int: "whole number", float: "number", bool: "`true`, `false`", Any: "anything"}


def description(model: type[BaseModel], name: str) -> str:
    """The `#:` comment of a field, above or beside it, or its `description`; empty when it has none."""
    return model.model_fields[name].description or _comments(model).get(name, "")


def docstring(thing: object) -> str:
    """A docstring as one paragraph; empty when it is inherited or missing."""
    own = thing.__dict__.get("__doc__") if isinstance(thing, type) else getattr(thing, "__doc__", None)
    return " ".join(inspect.cleandoc(own).split()) if own else ""


def key_of(name: str, field: FieldInfo) -> str:
    """How an operator writes a field."""
    return field.alias or name


def accepted(field: FieldInfo) -> str:
    """What may stand there, in a few words."""
    return _accepted(field.annotation, field.metadata)


def default(field: FieldInfo) -> str:
    """What holds when the key is not written."""
    if field.is_required():
        return "required"
    value = field.default
    if value is None:
        return "not set"
    if isinstance(value, BaseModel):
        value = value.model_dump(by_alias=True, mode="json", exclude_defaults=not _has_tag(value))
        return f"`{_inline(value)}`" if value else "see its keys"
    return f"`{_inline(list(value) if isinstance(value, tuple) else value)}`"


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models inside an annotation, in order."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation) if get_origin(annotation) is not Literal else ():
        yield from models(part)


def reachable(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Class name → every model below this one, and itself."""
    found: dict[str, type[BaseModel]] = {}
    waiting = [model]
    while waiting:
        current = waiting.pop(0)
        if current.__name__ not in found:
            found[current.__name__] = current
            waiting += [inner for field in current.model_fields.values() for inner in models(field.annotation)]
    return found


def tag_of(model: type[BaseModel]) -> tuple[str, str] | None:
    """The key and the value that choose this variant of a union, like `driver` and `local`."""
    for name, field in model.model_fields.items():
        values = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
        if field.is_required() and len(values) == 1 and isinstance(values[0], str):
            return key_of(name, field), values[0]
    return None


def one_or_more(field: FieldInfo) -> bool:
    """Whether a single value may stand for a list of one."""
    return get_origin(field.annotation) is tuple and any(isinstance(item, BeforeValidator) for item in field.metadata)


def _has_tag(value: BaseModel) -> bool:
    return tag_of(type(value)) is not None


def _inline(value: Any) -> str:
    if value in ({}, []):
        return str(value)
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.removesuffix("...\n").strip().removeprefix("{").removesuffix("}")


@cache
def _comments(model: type[BaseModel]) -> Mapping[str, str]:
    """field → its `#:` comment; those of base classes too."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if not (issubclass(each, BaseModel) and each is not BaseModel):
            continue
        try:
            source = textwrap.dedent(inspect.getsource(each))
        except (OSError, TypeError):  # made at run time: its fields carry descriptions
            continue
        found |= dict(_comments_in(source))
    return found


def _comments_in(source: str) -> Iterator[tuple[str, str]]:
    lines = source.splitlines()
    body = ast.parse(source).body[0]
    assert isinstance(body, ast.ClassDef)
    for node in body.body:
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            continue
        above: list[str] = []
        number = node.lineno - 2
        while number >= 0 and lines[number].strip().startswith("#:"):
            above.insert(0, lines[number].strip()[2:].strip())
            number -= 1
        rest = lines[(node.end_lineno or node.lineno) - 1].encode()[node.end_col_offset or 0 :].decode().strip()
        beside = [rest[2:].strip()] if rest.startswith("#:") else []
        if above or beside:
            yield node.target.id, " ".join(above + beside)


def _accepted(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    facts = list(_flat(metadata))
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _accepted(arguments[0], [*arguments[1:], *facts])
    for item in facts:
        if isinstance(item, AfterValidator) and inspect.getdoc(item.func):
            return _lower(docstring(item.func).partition(";")[0].rstrip("."))
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (Union, UnionType):
        tags = [tag for part in arguments for model in models(part) if (tag := tag_of(model))]
        if tags:
            return f"a mapping with `{tags[0][0]}`: {', '.join(f'`{value}`' for _, value in tags)}"
        return " or ".join(dict.fromkeys(_accepted(part, facts) for part in arguments if part is not NoneType))
    if origin is tuple:
        inner = _accepted(arguments[0])
        single = any(isinstance(item, BeforeValidator) for item in facts)
        return f"{inner}, or a list of them" if single else f"list of: {inner}"
    if origin is dict:
        names = _accepted(arguments[0]) if get_origin(arguments[0]) is Literal else "names"
        return f"map of {names} to {_accepted(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        tag = tag_of(annotation)
        return f"a mapping with `{tag[0]}: {tag[1]}`" if tag else "a mapping"
    return _limited(_PLAIN.get(annotation, str(annotation)), facts)


def _limited(plain: str, facts: list[Any]) -> str:
    pattern = next((item.pattern for item in facts if getattr(item, "pattern", None)), None)
    if pattern:
        return PATTERNS.get(pattern, f"text like `{pattern}`")
    low = next((item.ge for item in facts if hasattr(item, "ge")), None)
    high = next((item.le for item in facts if hasattr(item, "le")), None)
    if low is not None:
        return f"{plain}, {low} to {high}" if high is not None else f"{plain}, {low} or more"
    return plain


def _flat(metadata: Iterable[Any]) -> Iterator[Any]:
    for item in metadata:
        if isinstance(item, FieldInfo):
            yield from item.metadata
        else:
            yield item


def _lower(text: str) -> str:
    first = text.partition(" ")[0]
    return text if len(first) > 1 and first.isupper() else text[:1].lower() + text[1:]
