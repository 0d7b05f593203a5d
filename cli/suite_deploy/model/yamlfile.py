# SPDX-License-Identifier: MIT
"""YAML that remembers where everything stands, and refuses what a person would not write.

Refused with a Problem instead of a surprise: files over 1 MiB, text that is not UTF-8, duplicate keys, tags
other than `!vault`, nesting deeper than 40, aliases that multiply ("billion laughs"), keys that are no text.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..errors import InvalidInput, Problem

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 40
MAX_NODES = 50_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_TAGS = {"!vault"} | {
    f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "merge")
}

Path_ = tuple[Hashable, ...]


@dataclass(frozen=True)
class Place:
    """Where a value was written. `line` counts from 1; 0 means the file as a whole."""

    file: str
    line: int


@dataclass(frozen=True)
class Vaulted:
    """An Ansible Vault text under the `!vault` tag, still encrypted."""

    text: str


@dataclass(frozen=True)
class YamlFile:
    """Parsed data and the place of every key and list item in it."""

    name: str
    data: Any
    places: Mapping[Path_, Place]

    def place(self, path: Path_) -> Place:
        """The place of `path`, or of its nearest parent that has one."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return Place(self.name, 0)


def load_yaml(path: Path, *, shown_as: str | None = None) -> YamlFile:
    """Read one YAML file.

    Raises InvalidInput when it cannot be read or is not acceptable YAML; says which line and what to do.
    """
    name = shown_as or str(path)
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise InvalidInput([Problem(name, 0, "", "is not a regular file.")])
        if size > MAX_BYTES:
            raise InvalidInput(
                [
                    Problem(
                        name, 0, "", f"is {size:,} bytes long.", f"An inventory file has at most {MAX_BYTES:,} bytes."
                    )
                ]
            )
        raw = path.read_bytes()
    except OSError as error:
        raise InvalidInput([Problem(name, 0, "", f"cannot be read: {error.strerror or error}.")]) from error
    return parse_yaml(raw, name)


def parse_yaml(raw: bytes, name: str) -> YamlFile:
    """Parse YAML bytes; `name` is what problems call the file."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InvalidInput(
            [Problem(name, line, "", f"byte {raw[error.start]:#04x} is not UTF-8.", "Save the file as UTF-8.")]
        ) from error
    try:
        _check_shape(text, name)
        node = _compose(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = mark.line + 1 if mark else 0
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InvalidInput([Problem(name, line, "", f"is not YAML: {what}.", _mend(text, mark))]) from error
    places: dict[Path_, Place] = {(): Place(name, 0)}
    problems: list[Problem] = []
    data = None if node is None else _Builder(name, places, problems).build(node, ())
    if problems:
        raise InvalidInput(problems)
    return YamlFile(name, data, places)


def _mend(text: str, mark: Any) -> str:
    """What to write instead of a character that YAML does not take where it stands; empty where it is another fault."""
    # YAML counts more than \n as the end of a line, and may stop behind the last one
    character = text[mark.index : mark.index + 1] if mark else ""
    if character == "\t":
        return "A tab stands there; YAML is indented with spaces."
    return f"A text that begins with {character} goes in quotes." if character and character in "@`%" else ""


def _compose(text: str) -> yaml.Node | None:
    loader = _LOADER(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def _check_shape(text: str, name: str) -> None:
    """Refuse nesting and alias expansion by counting events, before any recursive code sees the text."""
    depth = 0
    total = 0
    open_nodes: list[tuple[Any, int]] = []
    sizes: dict[Any, int] = {}
    events: Iterable[Any] = yaml.parse(text, Loader=_LOADER)
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in open_nodes):
                raise InvalidInput([Problem(name, line, "", f"the alias *{event.anchor} stands inside itself.")])
            total += sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
            total += 1
            open_nodes.append((event.anchor, total - 1))
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
            anchor, before = open_nodes.pop()
            if anchor:
                sizes[anchor] = total - before
        if depth > MAX_DEPTH:
            raise InvalidInput([Problem(name, line, "", f"nests deeper than {MAX_DEPTH} levels.")])
        if total > MAX_NODES:
            found = f"holds more than {MAX_NODES:,} values once its aliases are expanded."
            raise InvalidInput([Problem(name, line, "", found)])


class _Builder:
    """Builds plain Python data from nodes and notes places; recursion depth is bounded by _check_shape."""

    def __init__(self, name: str, places: dict[Path_, Place], problems: list[Problem]):
        self.name, self.places, self.problems = name, places, problems
        self.scalars = yaml.SafeLoader("")

    def build(self, node: yaml.Node, path: Path_) -> Any:
        if node.tag not in _TAGS:
            # not repeated: in secrets.yml it may be a password
            accepted = "Accepted: plain values and `!vault`. A text that begins with ! goes in quotes."
            self._problem(node, path, "this tag is not accepted.", accepted)
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            items = []
            for index, item in enumerate(node.value):
                self.places[(*path, index)] = Place(self.name, item.start_mark.line + 1)
                items.append(self.build(item, (*path, index)))
            return items
        if node.tag == "!vault":
            return Vaulted(str(node.value))
        try:
            return self.scalars.construct_object(node)
        except (yaml.YAMLError, ValueError, LookupError, AttributeError):
            # how PyYAML refuses a text of another kind; its words may repeat a password of secrets.yml
            kind = node.tag.rpartition(":")[2]
            self._problem(node, path, f"cannot be read as a value of the kind {kind}.", "A text goes in quotes.")
            return None

    def _mapping(self, node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None or key_node.tag == "tag:yaml.org,2002:merge":
                self._problem(key_node, path, "has a key that is no plain text.", "Merge keys (`<<`): use `extends`.")
                continue
            here = (*path, key)
            if key in result:
                first = self.places[here].line
                self._problem(key_node, here, f"is written twice (first on line {first}).", "Keep one of the two.")
                continue
            self.places[here] = Place(self.name, key_node.start_mark.line + 1)
            result[key] = self.build(value_node, here)
        return result

    def _problem(self, node: yaml.Node, path: Path_, found: str, accepted: str = "") -> None:
        self.problems.append(Problem(self.name, node.start_mark.line + 1, dotted(path), found, accepted))


def dotted(path: Path_) -> str:
    """`('hosts', 'a', 0)` → `hosts.a[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
