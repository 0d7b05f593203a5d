# SPDX-License-Identifier: MIT
"""The suite's names in /etc/hosts: added, changed and removed without touching anybody else's lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from stacks.local import hostsfile
from stacks.local.hostsfile import with_block

OTHERS = "127.0.0.1 localhost\n# kept by hand\n10.0.0.1 printer\n"
NAMES = {"id.demo.example": "10.231.1.10", "chat.demo.example": "10.231.1.10"}


def test_names_come_between_markers_after_what_was_there() -> None:
    assert with_block(OTHERS, "demo", NAMES) == OTHERS + (
        "# BEGIN suite-deploy demo\n"
        "10.231.1.10\tchat.demo.example\t# suite-deploy:demo\n"
        "10.231.1.10\tid.demo.example\t# suite-deploy:demo\n"
        "# END suite-deploy demo\n"
    )


def test_a_second_time_changes_nothing() -> None:
    once = with_block(OTHERS, "demo", NAMES)
    assert with_block(once, "demo", NAMES) == once


def test_removal_leaves_the_file_as_it_was() -> None:
    assert with_block(with_block(OTHERS, "demo", NAMES), "demo", {}) == OTHERS


def test_other_suites_are_left_alone() -> None:
    both = with_block(with_block(OTHERS, "demo", NAMES), "demo-2", {"chat.two.example": "10.231.2.10"})
    assert with_block(both, "demo", {}) == with_block(OTHERS, "demo-2", {"chat.two.example": "10.231.2.10"})


@pytest.mark.parametrize("lost", ["# BEGIN suite-deploy demo\n", "# END suite-deploy demo\n"])
def test_a_lost_marker_costs_nobody_a_line(lost: str) -> None:
    damaged = with_block(OTHERS, "demo", NAMES).replace(lost, "") + "10.0.0.2 scanner\n"
    assert with_block(damaged, "demo", {}) == OTHERS + "10.0.0.2 scanner\n"


def test_lines_added_inside_the_block_by_hand_stay() -> None:
    edited = with_block(OTHERS, "demo", NAMES).replace("# END", "10.0.0.2 scanner\n# END")
    assert with_block(edited, "demo", {}) == OTHERS + "10.0.0.2 scanner\n"


def test_a_doubled_block_becomes_one() -> None:
    doubled = with_block(OTHERS, "demo", NAMES) + with_block("", "demo", NAMES)
    assert with_block(doubled, "demo", NAMES) == with_block(OTHERS, "demo", NAMES)


def test_a_last_line_without_its_end_is_not_joined() -> None:
    assert with_block("127.0.0.1 localhost", "demo", NAMES).startswith("127.0.0.1 localhost\n# BEGIN")


def test_the_file_keeps_its_mode_and_foreign_bytes(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_bytes(b"127.0.0.1 localhost # caf\xe9\r\n")
    path.chmod(0o640)
    assert hostsfile.update("demo", NAMES, path)
    assert not hostsfile.update("demo", NAMES, path), "the second time changes nothing"
    assert hostsfile.update("demo", {}, path)
    assert path.read_bytes() == b"127.0.0.1 localhost # caf\xe9\r\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path], "no temporary file is left"


def test_a_file_behind_a_link_is_changed_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "real").write_text(OTHERS)
    (tmp_path / "hosts").symlink_to("real")
    hostsfile.update("demo", NAMES, tmp_path / "hosts")
    assert (tmp_path / "hosts").is_symlink()
    assert "chat.demo.example" in (tmp_path / "real").read_text()


def test_a_missing_file_is_made_and_nothing_is_removed_from_none(tmp_path: Path) -> None:
    assert not hostsfile.update("demo", {}, tmp_path / "hosts")
    assert hostsfile.update("demo", NAMES, tmp_path / "hosts")
