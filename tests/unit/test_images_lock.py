# SPDX-License-Identifier: MIT
"""images.lock.yml: written and read back the same, mistakes at their line, doubles refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from suite_deploy.errors import InvalidInput
from suite_deploy.images.lock import ALLOW_DOUBLES, Pin, read_lock, refuse_doubles, write_lock

MOMENT = datetime(2026, 11, 22, 5, 17, 39, tzinfo=UTC)
PINS = {
    "registry.invalid:5000/team/app:1.0": Pin(digest="sha256:" + "a" * 64, origin="registry", resolved=MOMENT),
    "quay.io/keycloak/keycloak:26.7.3": Pin(digest="sha256:" + "b" * 64, origin="recipe", resolved=MOMENT, recipe="k"),
}


def test_a_lock_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "state" / "images.lock.yml"
    write_lock(path, PINS)
    first = path.read_bytes()
    assert read_lock(path) == PINS
    write_lock(path, dict(reversed(read_lock(path).items())))
    assert path.read_bytes() == first
    assert [item.name for item in path.parent.iterdir()] == ["images.lock.yml"]


def test_an_empty_and_a_missing_lock_hold_no_pins(tmp_path: Path) -> None:
    write_lock(tmp_path / "empty", {})
    assert read_lock(tmp_path / "empty") == read_lock(tmp_path / "missing") == {}


def test_mistakes_in_a_lock_are_reported_at_their_line(tmp_path: Path) -> None:
    path = tmp_path / "images.lock.yml"
    path.write_text(
        """\
images:
  a/b:1:
    digest: latest
    origin: registry
    resolved: 2026-11-22
  c/d:2:
    digest: sha256:{digest}
    origin: hearsay
    resolved: 2026-11-22T05:17:39Z
    signed: true
""".format(digest="c" * 64)
    )
    with pytest.raises(InvalidInput) as caught:
        read_lock(path)
    lines = {problem.key: problem.line for problem in caught.value.problems}
    assert lines["images.a/b:1.digest"] == 3
    assert lines["images.c/d:2.origin"] == 8
    assert lines["images.c/d:2.signed"] == 10


def test_a_pinned_double_is_refused_outside_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pins = {"a/b:1": Pin(digest="sha256:" + "a" * 64, origin="double", resolved=MOMENT), **PINS}
    monkeypatch.delenv(ALLOW_DOUBLES, raising=False)
    with pytest.raises(InvalidInput, match="double") as caught:
        refuse_doubles(tmp_path / "images.lock.yml", pins)
    assert [problem.key for problem in caught.value.problems] == ["images.a/b:1"]
    monkeypatch.setenv(ALLOW_DOUBLES, "1")
    refuse_doubles(tmp_path / "images.lock.yml", pins)
