# SPDX-License-Identifier: MIT
"""Reading YAML: places are right, and what no person writes is refused with a line, quickly."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from suite_deploy.errors import InvalidInput
from suite_deploy.model.yamlfile import MAX_BYTES, Vaulted, load_yaml, parse_yaml


def problems_of(raw: bytes) -> str:
    with pytest.raises(InvalidInput) as caught:
        parse_yaml(raw, "suite.yml")
    return str(caught.value)


def test_every_key_and_item_knows_its_line() -> None:
    loaded = parse_yaml(b"a: 1\nb:\n  c: [x, y]\n  d:\n  - z\n", "suite.yml")
    lines = {path: place.line for path, place in loaded.places.items()}
    assert lines[("a",)] == 1
    assert lines[("b", "c", 1)] == 3
    assert lines[("b", "d", 0)] == 5
    assert loaded.place(("b", "nowhere", "at all")).line == 2


def test_a_duplicate_key_is_refused_with_both_lines() -> None:
    text = problems_of(b"a: 1\nb: 2\na: 3\n")
    assert "suite.yml:3: a: is written twice (first on line 1)" in text


def test_all_duplicate_keys_are_reported_at_once() -> None:
    text = problems_of(b"a: 1\na: 2\nb: {c: 1, c: 2}\n")
    assert "suite.yml:2: a" in text and "suite.yml:3: b.c" in text


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"a: \xff\xfe\n", "is not UTF-8"),
        (b"x: 1\ny: caf\xe9\n", "suite.yml:2:"),
        (b"a: [1, 2\nb: 3\n", "is not YAML"),
        (b"a: [1", "is not YAML"),
        (b"a: 'x\r", "is not YAML"),
        (b"a: !!bool x\n", "cannot be read as a value"),
        (b"a: !!timestamp x\n", "cannot be read as a value"),
        (b"a: !!int ''\n", "cannot be read as a value"),
        (b"a: !!python/object/apply:os.system ['true']\n", "is not accepted"),
        (b"a: !include x.yml\n", "suite.yml:1: a: this tag is not accepted"),
        (b"<<: {a: 1}\n", "extends"),
        (b"? [a, b]\n: 1\n", "no plain text"),
        (b"a: 1\n---\nb: 2\n", "is not YAML"),
        (b"a: &x [*x]\n", "stands inside itself"),
        (b"a: *nowhere\n", "is not YAML"),
        (b"\x00", "is not YAML"),
        (b"a: 2026-13-45\n", "cannot be read as a value"),
    ],
)
def test_unacceptable_yaml_is_refused_with_a_reason(raw: bytes, expected: str) -> None:
    assert expected in problems_of(raw)


@pytest.mark.parametrize(
    "value", ["!hunter2", "*hunter2", "!hunter2!x", "!!int hunter2", "!!bool hunter2", "!!hunter2"]
)
def test_a_password_without_quotes_is_not_repeated(value: str) -> None:
    said = problems_of(f"a: {value}\n".encode())
    assert "suite.yml:1: " in said and "hunter2" not in said, said


def test_aliases_that_multiply_are_refused_before_they_expand() -> None:
    levels = [b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [b"a%d: &a%d [%s]" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 12)]
    started = time.monotonic()
    assert "once its aliases are expanded" in problems_of(b"\n".join(levels))
    assert time.monotonic() - started < 1


def test_deep_nesting_is_refused_and_does_not_exhaust_the_stack() -> None:
    assert "nests deeper" in problems_of(b"a: " + b"[" * 5000 + b"]" * 5000)


def test_a_huge_file_is_refused_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "suite.yml"
    with path.open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    started = time.monotonic()
    with pytest.raises(InvalidInput, match=f"at most {MAX_BYTES:,} bytes"):
        load_yaml(path)
    assert time.monotonic() - started < 0.5


@pytest.mark.parametrize("name", ["absent.yml", "directory"])
def test_what_cannot_be_read_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / "directory").mkdir()
    with pytest.raises(InvalidInput, match=r"cannot be read|not a regular file"):
        load_yaml(tmp_path / name)


def test_vaulted_values_stay_encrypted() -> None:
    loaded = parse_yaml(b"key: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3030\n", "secrets.yml")
    assert isinstance(loaded.data["key"], Vaulted)


def test_an_empty_file_is_no_mapping() -> None:
    assert parse_yaml(b"", "suite.yml").data is None
