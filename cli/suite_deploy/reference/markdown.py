# SPDX-License-Identifier: MIT
"""Tables, and the sections of a model's keys."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import get_args, get_origin

from pydantic import BaseModel

from .describing import accepted, default, description, docstring, key_of, models, tag_of


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; what would end a cell is escaped."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(_cell(item) for item in row)} |" for row in rows]
    return "\n".join(lines)


def code(text: object) -> str:
    """Inline code, or nothing for nothing."""
    return f"`{text}`" if text not in (None, "") else ""


def anchor(heading: str) -> str:
    """The anchor that a heading gets where the page is shown."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def key_sections(model: type[BaseModel]) -> Iterator[str]:
    """One section per mapping: a heading, what it is, a table of its keys. The first is the model's own table."""
    sections: dict[tuple[str, type[BaseModel]], list[str]] = {}
    _collect(model, "", "", sections)
    for (where, each), variants in sections.items():
        if each is not model:
            yield f"## {_heading(where, variants)}"
            text = docstring(each)
            if text:
                yield text
        yield table(("Key", "Accepted", "Default", "What it is"), _rows(each))


def keys(model: type[BaseModel]) -> set[str]:
    """Every dotted key of a model, as sections and tables name them."""
    sections: dict[tuple[str, type[BaseModel]], list[str]] = {}
    _collect(model, "", "", sections)
    return {
        f"{where}.{key_of(name, field)}".lstrip(".")
        for where, each in sections
        for name, field in each.model_fields.items()
    }


def _heading(where: str, variants: list[str]) -> str:
    return f"`{where}`" + (f" ({', '.join(dict.fromkeys(variants))})" if any(variants) else "")


def _rows(model: type[BaseModel]) -> Iterator[tuple[str, str, str, str]]:
    for name, field in model.model_fields.items():
        yield code(key_of(name, field)), accepted(field), default(field), description(model, name)


def _collect(
    model: type[BaseModel], path: str, variant: str, sections: dict[tuple[str, type[BaseModel]], list[str]]
) -> None:
    sections.setdefault((path, model), []).append(variant)
    for name, field in model.model_fields.items():
        inner = list(models(field.annotation))
        several = len(inner) > 1
        for each in inner:
            below = f"{path}.{key_of(name, field)}".lstrip(".")
            if _is_map(field.annotation):
                below += ".NAME"
            elif _is_list(field.annotation):
                below += "[]"
            tag = tag_of(each) if several else None
            _collect(each, below, f"`{tag[0]}: {tag[1]}`" if tag else variant, sections)


def _is_map(annotation: object) -> bool:
    return get_origin(annotation) is dict or any(get_origin(part) is dict for part in get_args(annotation))


def _is_list(annotation: object) -> bool:
    return get_origin(annotation) is tuple


def _cell(item: object) -> str:
    return str(item).replace("|", "\\|").replace("\n", " ")
