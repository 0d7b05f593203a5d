# SPDX-License-Identifier: MIT
"""What a person sees while a command runs: one moving status line on a terminal, plain lines anywhere else."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from ..model.outputs import Progress

_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
#: seconds between two drawings of the status line
TICK = 0.5


class Stages:
    """Runs the stages of a command one after the other, shows each while it runs, and remembers what it took.

    stream: where progress goes, stderr by default; it may be closed. quiet: show nothing, still measure.
    """

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None):
        self.seconds: dict[str, float] = {}
        self._stream = None if quiet else (stream or sys.stderr)
        self._live = self._stream is not None and _is_terminal(self._stream)
        self._lock = threading.Lock()
        self._stage = ""
        self._task = ""
        self._started = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[Progress]:
        """One stage; what it yields is called with each task begun. A stage entered again adds to its time."""
        self._stage, self._task, self._started = name, "", time.monotonic()
        done = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(done,), daemon=True) if self._live else None
        if ticker:
            ticker.start()
        else:
            self._write(f"{name}: started\n")
        ending = "failed"
        try:
            yield self.task
            ending = "done"
        except KeyboardInterrupt:
            ending = "interrupted"
            raise
        finally:
            took = time.monotonic() - self._started
            self.seconds[name] = self.seconds.get(name, 0.0) + took
            done.set()
            if ticker:
                ticker.join()
            with self._lock:
                self._stage = ""
                self._write(f"{self._clear()}{name}: {ending} in {duration(took)}\n")

    def task(self, text: str) -> None:
        """What the stage is doing now: one short line."""
        text = plain(text)
        if self._live:
            with self._lock:
                self._task = text
                self._draw()
        elif text != self._task:
            self._task = text
            self._write(f"{self._stage}: {text}\n")

    def note(self, text: str) -> None:
        """A line that stays: a warning, a skip."""
        with self._lock:
            self._write(f"{self._clear()}{text}\n")
            if self._live and self._stage:
                self._draw()

    def _tick(self, done: threading.Event) -> None:
        while not done.wait(TICK):
            with self._lock:
                self._draw()

    def _draw(self) -> None:
        elapsed = time.monotonic() - self._started
        line = f"{self._stage}  {duration(elapsed)}  {self._task}"
        self._write(f"{self._clear()}{fit(line, _columns(self._stream) - 1)}")

    def _clear(self) -> str:
        return "\r\x1b[K" if self._live else ""

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # Whoever watched has gone; the work goes on unseen.
            self._stream = None


def _is_terminal(stream: TextIO) -> bool:
    if os.environ.get("TERM", "dumb") == "dumb" or os.environ.get("NO_COLOR"):
        return False
    try:
        return stream.isatty()
    except ValueError:
        return False


def _columns(stream: TextIO | None) -> int:
    """The terminal's width now: asked at each drawing, since windows are resized."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80 if stream else 80
    except (OSError, ValueError):
        return 80


def plain(text: str) -> str:
    """Text on one line without anything that could steer a terminal."""
    return _ESCAPES.sub("", " ".join(text.split()))


def duration(seconds: float) -> str:
    """Seconds as a person says them: `4.2 s`, `1 min 05 s`, `1 h 02 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def width(text: str) -> int:
    """How many columns a text takes on a terminal."""
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fit(text: str, columns: int) -> str:
    """The beginning of a text that takes at most so many columns, with `…` where something was cut."""
    if width(text) <= columns:
        return text
    taken, room = "", max(columns - 1, 0)
    for character in text:
        room -= _width(character)
        if room < 0:
            break
        taken += character
    return taken + "…" if columns > 0 else ""


def table(headings: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[int] = ()) -> str:
    """Rows in aligned columns under their headings. right: indexes of the columns aligned to the right."""
    cells = [[str(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(width(cell) for cell in column) for column in zip(*cells, strict=True)]

    def line(row: Sequence[str]) -> str:
        padded = [
            " " * (room - width(cell)) + cell if index in right else cell + " " * (room - width(cell))
            for index, (cell, room) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(padded).rstrip()

    return "\n".join(line(row) for row in cells)


def stage_table(seconds: dict[str, float]) -> str:
    """Where the time went, with the sum as the last line."""
    rows = [(name, duration(taken)) for name, taken in seconds.items()]
    return table(("stage", "time"), [*rows, ("total", duration(sum(seconds.values())))], right=(1,))
