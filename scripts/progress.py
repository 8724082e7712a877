"""Progress bars: what a step reports, shown by rich on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from scripts.plain_words import clean
from scripts.telling import is_screen


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


@contextmanager
def show_progress(*, is_shown: bool) -> Iterator[Progress]:
    """Show bars on stderr while the block runs; nothing when it is no terminal and nothing when not asked for."""
    if not (is_shown and is_screen(sys.stderr)):
        yield Silent()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    title, note = (TextColumn(text, markup=False) for text in ("{task.description:24}", "{task.fields[note]}"))

    with Bars(title, BarColumn(), TimeElapsedColumn(), note, console=console, disable=not console.is_terminal) as bars:

        class Shown:
            def __init__(self) -> None:
                self._task: TaskID | None = None

            def start(self, title: str, total: float | None) -> None:
                self._task = bars.add_task(title, total=total, note="")

            def advance(self, amount: float = 1.0, note: str = "") -> None:
                if self._task is not None:
                    bars.update(self._task, advance=amount, note=clean(note, console.encoding))

        yield Shown()
