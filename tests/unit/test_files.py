# SPDX-License-Identifier: MIT
"""Files of a suite's state are written whole or stay as they were."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from suite_deploy.files import write_whole


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_a_file_gets_its_rights_and_its_folder_too_where_it_is_made(tmp_path: Path) -> None:
    private, public = tmp_path / "private" / "inventory.yml", tmp_path / "public" / "outputs.json"
    write_whole(private, "a", 0o600, folder_mode=0o700)
    write_whole(public, "b", 0o644)
    rights = {path.relative_to(tmp_path): oct(path.stat().st_mode & 0o777) for path in tmp_path.rglob("*")}
    assert rights == {
        Path("private"): "0o700",
        Path("private/inventory.yml"): "0o600",
        Path("public"): "0o755",
        Path("public/outputs.json"): "0o644",
    }


def test_what_was_readable_by_all_is_private_when_it_is_written_again_as_private(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("old", encoding="utf-8")
    write_whole(path, "secret", 0o600)
    assert (path.read_text(encoding="utf-8"), oct(path.stat().st_mode & 0o777)) == ("secret", "0o600")


def test_several_may_write_the_same_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "state" / "settings.yaml"
    texts = [str(number) * 10_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: [write_whole(path, text, 0o600) for _ in range(50)], texts))
    assert path.read_text(encoding="utf-8") in texts and list(path.parent.iterdir()) == [path]


def test_a_text_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_whole(path, "old", 0o644)
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "new \ud800", 0o644)
    assert list(tmp_path.iterdir()) == [path], "nothing is left of the attempt"
    assert path.read_text(encoding="utf-8") == "old"
