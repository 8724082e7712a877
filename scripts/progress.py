"""Progress bars: what a step reports, shown by rich on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Protocol

from scripts.naming.hidden import hidden_names
from scripts.plain_words import clean
from scripts.telling import is_screen, tell

READING, TRAINING = "reading", "training"  # titles of steps: the one is quick, the other counts no slides
_SECONDS_BETWEEN_LINES = 20.0


class Progress(Protocol):
    """What a long step reports to."""

    def start(self, title: str, total: float | None) -> None:
        """Begin a step; ``total`` None when nobody knows how much there is."""
        ...

    def advance(self, amount: float = 1.0, note: str = "") -> None:
        """Report work done since the last call."""
        ...


class Silent:
    """Reports to nobody."""

    def start(self, title: str, total: float | None) -> None:
        """Ignore it."""

    def advance(self, amount: float = 1.0, note: str = "") -> None:
        """Ignore it."""


class Renamed:
    """Passes on what is reported, its notes in other words.

    Parameters
    ----------
    progress
        What it is passed on to.
    rename
        Returns what a note is to read.
    """

    def __init__(self, progress: Progress, rename: Callable[[str], str]) -> None:
        self._progress = progress
        self._rename = rename

    def start(self, title: str, total: float | None) -> None:
        """Pass it on."""
        self._progress.start(title, total)

    def advance(self, amount: float = 1.0, note: str = "") -> None:
        """Pass it on."""
        self._progress.advance(amount, self._rename(note))


class Lines:
    """Tells what long steps are at in plain lines, for pipes, files and cron: when each begins, then now and then.

    Parameters
    ----------
    write
        Takes a line.
    clock
        Seconds.
    """

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._write = write
        self._clock = clock
        self._title = ""
        self._total: float | None = None
        self._done = self._told = 0.0

    def start(self, title: str, total: float | None) -> None:
        """Tell that a step begins; reading is quick mostly, and only told while it lasts."""
        self._title, self._total, self._done, self._told = title, total, 0.0, self._clock()
        if total and title != READING:
            self._tell()

    def advance(self, amount: float = 1.0, note: str = "") -> None:
        """Tell how far it is, where nothing was told for a while."""
        self._done += amount
        is_over = self._total is None or self._done >= self._total
        if not is_over and self._clock() - self._told >= _SECONDS_BETWEEN_LINES:
            self._tell()

    def _tell(self) -> None:
        self._told = self._clock()
        self._write(f"{self._title}{self._how_far()}")

    def _how_far(self) -> str:
        if self._title == TRAINING:
            return f", {self._done:.0%} done" if self._done else ""
        return f": slide {int(self._done) + 1} of {int(self._total or 1)}"


@contextmanager
def show_progress(*, is_shown: bool, in_lines: bool = False) -> Iterator[Progress]:
    """Show bars on stderr while the block runs; nothing when not asked for.

    Parameters
    ----------
    in_lines
        Where stderr is no terminal, tell in lines what begins; else nothing is shown there.
    """
    if not (is_shown and is_screen(sys.stderr)):
        yield Lines(lambda line: tell([line], sys.stderr), monotonic) if is_shown and in_lines else Silent()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    console, hidden = Console(stderr=True), hidden_names()
    title, note = (TextColumn(text, markup=False) for text in ("{task.description:24}", "{task.fields[note]}"))

    with Bars(title, BarColumn(), TimeElapsedColumn(), note, console=console, disable=not console.is_terminal) as bars:

        class Shown:
            def __init__(self) -> None:
                self._task: TaskID | None = None

            def start(self, title: str, total: float | None) -> None:
                self._task = bars.add_task(title, total=total, note="")

            def advance(self, amount: float = 1.0, note: str = "") -> None:
                if self._task is not None:
                    bars.update(self._task, advance=amount, note=clean(hidden.hide_note(note), console.encoding))

        yield Shown()
