# SPDX-License-Identifier: MIT
"""Progress: one moving line on a terminal, plain lines elsewhere, nothing where nobody looks."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import select
import struct
import termios
import time

import pytest

from suite_deploy.report import console


class Terminal:
    """A pseudo-terminal whose screen can be read and resized."""

    def __init__(self, columns: int = 40):
        self.master, slave = pty.openpty()
        self.stream = os.fdopen(slave, "w", encoding="utf-8")
        self.resize(columns)

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self.stream.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def read(self) -> str:
        """All that was written; a terminal may hand it over in parts."""
        parts = [os.read(self.master, 1_000_000)]
        while select.select([self.master], [], [], 0.2)[0]:
            parts.append(os.read(self.master, 1_000_000))
        return b"".join(parts).decode()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


def drawn(screen: str) -> list[str]:
    return [part for part in screen.replace("\r\n", "\r\x1b[K").split("\r\x1b[K") if part]


def test_a_pipe_gets_plain_lines_and_each_task_once() -> None:
    stream = io.StringIO()
    stages = console.Stages(stream=stream)
    with stages.stage("hosts") as progress:
        progress("making app-1")
        progress("making app-1")
        stages.note("no Meet on this host")
    lines = stream.getvalue().splitlines()
    assert lines[:3] == ["hosts: started", "hosts: making app-1", "no Meet on this host"]
    assert lines[3].startswith("hosts: done in ")
    assert "\x1b" not in stream.getvalue()


def test_a_terminal_gets_one_line_that_is_replaced(terminal: Terminal) -> None:
    stages = console.Stages(stream=terminal.stream)
    with stages.stage("hosts") as progress:
        progress("making app-1")
        progress("making data-1")
    screen = terminal.read()
    assert screen.count("\n") == 1
    assert drawn(screen)[-1].startswith("hosts: done in ")


def test_the_line_moves_while_a_task_says_nothing(terminal: Terminal) -> None:
    with console.Stages(stream=terminal.stream).stage("hosts") as progress:
        progress("waiting")
        time.sleep(3 * console.TICK)
    assert len([line for line in drawn(terminal.read()) if "waiting" in line]) >= 3


def test_a_line_never_wraps_also_after_the_window_was_resized(terminal: Terminal) -> None:
    with console.Stages(stream=terminal.stream).stage("hosts") as progress:
        progress("x" * 200)
        terminal.resize(20)
        progress("y" * 200)
    lines = drawn(terminal.read())
    assert max(len(line) for line in lines if "x" in line) == 39
    assert max(len(line) for line in lines if "y" in line) == 19


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_that_wants_none_gets_plain_lines(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with console.Stages(stream=terminal.stream).stage("hosts"):
        pass
    assert "\x1b" not in terminal.read()


def test_quiet_shows_nothing_and_still_measures(capsys: pytest.CaptureFixture[str]) -> None:
    stages = console.Stages(quiet=True)
    with stages.stage("hosts") as progress:
        progress("making app-1")
    assert capsys.readouterr() == ("", "")
    assert list(stages.seconds) == ["hosts"]


@pytest.mark.parametrize("close", [True, False])
def test_work_goes_on_when_nobody_listens_any_more(close: bool) -> None:
    read, write = os.pipe()
    stream = os.fdopen(write, "w")
    stages = console.Stages(stream=stream)
    with stages.stage("hosts") as progress:
        os.close(read)
        progress("making app-1")
        if close:
            os.close(os.dup(write))
        progress("making data-1")
    assert list(stages.seconds) == ["hosts"]
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_a_closed_stderr_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    with console.Stages().stage("hosts") as progress:
        progress("making app-1")
    closed = io.StringIO()
    closed.close()
    with console.Stages(stream=closed).stage("hosts") as progress:
        progress("making app-1")


def test_a_stage_that_fails_says_so_and_counts() -> None:
    stream = io.StringIO()
    stages = console.Stages(stream=stream)
    with pytest.raises(ZeroDivisionError), stages.stage("hosts"):
        raise ZeroDivisionError
    with pytest.raises(KeyboardInterrupt), stages.stage("roles"):
        raise KeyboardInterrupt
    assert "hosts: failed in" in stream.getvalue()
    assert "roles: interrupted in" in stream.getvalue()
    assert list(stages.seconds) == ["hosts", "roles"]


def test_a_childs_output_cannot_steer_the_terminal() -> None:
    assert console.plain("\x1b[2Jred \x1b[31mtext\x1b[0m\x07\tand\r\nmore\x1b]0;title\x07!") == "red text and more!"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (4.24, "4.2 s"), (9.97, "10 s"), (59.6, "1 min 00 s"), (65, "1 min 05 s"), (3720, "1 h 02 min")],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert console.duration(seconds) == text


def test_wide_and_combining_characters_take_their_room() -> None:
    assert console.width("été") == 3
    assert console.width("e\N{COMBINING ACUTE ACCENT}") == 1
    assert console.width("漢字") == 4
    assert console.fit("漢字漢字", 5) == "漢字…"
    assert console.fit("short", 5) == "short"
    assert console.fit("longer", 0) == ""


def test_a_table_is_aligned_under_its_headings() -> None:
    text = console.table(("name", "size"), [("été", 7), ("漢字", 120)], right=(1,))
    assert text == "name  size\nété      7\n漢字   120"


def test_the_table_of_stages_ends_with_the_sum() -> None:
    assert console.stage_table({"hosts": 61, "roles": 4}).splitlines()[-1].split() == ["total", "1", "min", "05", "s"]
