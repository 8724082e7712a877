"""The live view on a terminal: drawn when something changed, four times a second at most, with log lines above it."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic
from types import TracebackType
from typing import Self

import psutil
from rich.console import Console, ConsoleOptions, RenderResult
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType, Segment
from rich.text import Text

from scripts.daemon.live_view import Shown, View, view
from scripts.logs import Terminal
from scripts.plain_words import clean

logger = logging.getLogger(__name__)
_LEAST_SECONDS = 0.25  # between two drawings
_MEMORY_SECONDS = 5.0  # between two looks at the memory
_MEMORY_STEP = 10**8  # bytes: a smaller change is none
_STYLES = {logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "bold red"}


class LiveTerminal:
    """Shows what happens below the log lines. A context manager: at its end the picture goes, and the cursor is back.

    Parameters
    ----------
    console
        On a terminal.
    clock
        Monotonic seconds.
    now
        The moment, aware.
    memory
        Bytes that this process takes.
    """

    def __init__(
        self,
        console: Console,
        *,
        clock: Callable[[], float] = monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        memory: Callable[[], float] = lambda: float(psutil.Process().memory_info().rss),
    ) -> None:
        self._console = console
        self._clock, self._now, self._memory = clock, now, memory
        self._lock = threading.RLock()
        self._picture = _Picture()
        self._live = Live(self._picture, console=console, auto_refresh=False, transient=True)
        self._draw_at = self._measure_at = -math.inf
        self._memory_bytes = 0.0
        self._drawn: object = None

    def __enter__(self) -> Self:
        """Return itself; nothing is drawn before there is something to show."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the terminal back."""
        with self._lock, suppress(OSError):  # a terminal that went away has no cursor to give back
            self._reach_up()
            self._live.stop()

    def handler(self) -> logging.Handler:
        """Return what prints log lines above the picture."""
        return _Above(self)

    def show(self, projects: Sequence[Shown]) -> bool:
        """Draw these projects, if they differ from what is drawn and the last drawing was not just now.

        Returns
        -------
        Whether it was drawn.
        """
        at = self._clock()
        if at < self._draw_at:
            return False
        self._measure(at)
        now = self._now()
        difference = self._difference(projects, at, now)
        if difference == self._drawn:
            return False
        self._draw_at, self._drawn = at + _LEAST_SECONDS, difference
        self._picture.view = view(projects, now, memory_bytes=self._memory_bytes)
        try:
            self._draw()
        except OSError as error:  # the terminal went away: the work goes on, and the log files tell of it
            self._draw_at = math.inf
            logger.debug("nothing is drawn any more: %s", error)
            return False
        return True

    def print_above(self, text: str, level: int) -> None:
        """Print a log line, or several, above the picture."""
        lines = "\n".join(clean(line, self._console.encoding) for line in text.split("\n"))
        with self._lock:
            self._reach_up()
            self._console.print(Text(lines, style=_STYLES.get(level, "")), soft_wrap=True)

    def _draw(self) -> None:
        with self._lock:
            self._reach_up()
            self._live.start()
            self._live.refresh()

    def _measure(self, at: float) -> None:
        if at >= self._measure_at:
            self._measure_at = at + _MEMORY_SECONDS
            self._memory_bytes = round(self._memory() / _MEMORY_STEP) * _MEMORY_STEP

    def _difference(self, projects: Sequence[Shown], at: float, now: datetime) -> object:
        """Return what a new picture depends on: while a job runs, the second is a part of it."""
        beats = [(shown.name, None if shown.state is None else shown.state.beat) for shown in projects]
        is_busy = any(beat is not None and beat.doing for _, beat in beats)
        return (
            beats,
            self._console.size,
            self._memory_bytes,
            math.floor(at) if is_busy else None,
            now.astimezone().date(),
        )

    def _reach_up(self) -> None:
        """Go to where the picture begins now that the terminal is narrower: its lines take more rows than before."""
        extra = self._picture.rows_more(self._console.width)
        if extra:
            up = ((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1))
            self._console.control(Control(ControlType.CARRIAGE_RETURN, *(up * extra)))


class _Picture:
    """What rich draws, trimmed to the terminal's height; remembers how long each line was."""

    def __init__(self) -> None:
        self.view: View | None = None
        self._cells: list[int] = []
        self._width = 0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.view is None:
            return
        lines = console.render_lines(self.view, options, pad=False)[: max(options.size.height - 1, 1)]
        self._cells, self._width = [Segment.get_line_length(line) for line in lines], options.size.width
        for number, line in enumerate(lines):
            if number:
                yield Segment.line()
            yield from line

    def rows_more(self, width: int) -> int:
        """Return how many more rows the drawn lines take in a narrower terminal, which wraps them; once."""
        before, self._width = self._width, width
        if width >= before:
            return 0
        return sum(max(0, math.ceil(cells / max(width, 1)) - 1) for cells in self._cells)


class _Above(Terminal):
    """Prints what is logged above the picture."""

    def __init__(self, terminal: LiveTerminal) -> None:
        super().__init__()
        self._terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record; one that can't be printed never stops the daemon."""
        try:
            self._terminal.print_above(self.format(record), record.levelno)
        except RecursionError:
            raise
        except Exception:  # as of every handler of the logging module
            self.handleError(record)
