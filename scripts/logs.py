"""Logging set-up: the one place with handlers."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TextIO

_ROOMS = ("bridge", "models", "scripts")
_FILE_BYTES, _FILES = 2_000_000, 5  # some months of a busy lab
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_PAUSE_SECONDS = 600.0
_project: ContextVar[Path | None] = ContextVar("project", default=None)

Hide = Callable[[str], str]


def set_up_logging(*, is_verbose: bool, is_quiet: bool, hide: Hide = lambda text: text) -> None:
    """Send log lines to stderr: DEBUG when verbose, ERROR when quiet, else WARNING.

    Parameters
    ----------
    hide
        Takes slides' names out of a whole line, error and traceback included.
    """
    level = logging.DEBUG if is_verbose else logging.ERROR if is_quiet else logging.WARNING
    handler = Terminal()
    handler.setFormatter(PlainFormatter("%(levelname)s %(name)s %(message)s", hide))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for room in _ROOMS:
        logging.getLogger(room).setLevel(level)


def tells_errors_only() -> bool:
    """Say whether ``--quiet`` was asked for: nothing but errors is told on stderr then."""
    return logging.getLogger(_ROOMS[0]).level >= logging.ERROR


@contextmanager
def daemon_logging(
    files: dict[Path, Path],
    *,
    is_verbose: bool,
    is_quiet: bool,
    hide: Hide = lambda text: text,
    terminal: logging.Handler | None = None,
) -> Iterator[None]:
    """Log for people who read it in the morning, to stderr and to files, until the block ends.

    Lines carry time, level and a sentence; INFO of ``scripts``, and warnings of ours. Other libraries only speak when
    verbose, and then every line says which module it is from.

    Parameters
    ----------
    files
        Project folder → its log file. A file gets the lines about its own project, and those about none.
    hide
        Takes slides' names out of a whole line, error and traceback included.
    terminal
        Takes the lines that else go to stderr: where a live view is shown there.
    """
    formatter = LineFormatter(hide, is_verbose=is_verbose)
    handlers: list[logging.Handler] = []
    if sys.stderr is not None:  # a service has none
        handlers.append(Terminal(sys.stderr) if terminal is None else terminal)
    for handler in handlers:
        handler.setLevel(logging.ERROR if is_quiet else logging.NOTSET)
    for project, path in files.items():
        handlers.append(LogFile(path))
        handlers[-1].addFilter(_OfProject(project))
    for handler in handlers:
        handler.setFormatter(formatter)
    if len(files) > 1 and sys.stderr is not None:
        handlers[0].setFormatter(LineFormatter(hide, is_verbose=is_verbose, names_project=True))
    with _levels(is_verbose=is_verbose), _only(handlers):
        yield


@contextmanager
def about(project: Path) -> Iterator[None]:
    """Have what is logged within the block, in this thread, belong to one project."""
    token = _project.set(project)
    try:
        yield
    finally:
        _project.reset(token)


def log_file(data_folder: Path, name: str = "watch") -> Path:
    """Return a project's log file."""
    return data_folder / "log" / f"{name}.log"


class PlainFormatter(logging.Formatter):
    """What would break a line, or a terminal, is escaped: messages quote files of people's.

    Parameters
    ----------
    line
        How one is laid out, as for `logging.Formatter`.
    hide
        Takes slides' names out of a whole line, error and traceback included.
    """

    def __init__(self, line: str | None = None, hide: Hide = lambda text: text) -> None:
        super().__init__(line)
        self._hide = hide

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with a traceback below it where there is one."""
        return self._hide(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        """Return the line."""
        return _CONTROL.sub(lambda found: repr(found[0])[1:-1], self._line(record))

    def _line(self, record: logging.LogRecord) -> str:
        return super().formatMessage(record)


class LineFormatter(PlainFormatter):
    """``2026-01-31T02:00:00+01:00 INFO the sentence``, without slides' names where they are hidden.

    ``names_project`` adds the project's folder to lines of one that don't say it: where several are told of together.
    """

    def __init__(
        self, hide: Hide = lambda text: text, *, is_verbose: bool = False, names_project: bool = False
    ) -> None:
        super().__init__("%(asctime)s %(levelname)-7s " + ("%(name)s " if is_verbose else "") + "%(message)s", hide)
        self._names_project = names_project

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802  (logging's name)
        """Return local time with its distance from UTC."""
        return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="seconds")

    def _line(self, record: logging.LogRecord) -> str:
        line = super()._line(record)
        project = _project.get()
        if self._names_project and project is not None and " project=" not in line:
            line += f" project={project.name}"
        return line


class Terminal(logging.StreamHandler[TextIO]):
    """Standard error. Where a line can't be written nothing of it is: its parts would be printed with every name."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Say that a line is missing, and whose."""
        _say(f"a log line of {record.name} could not be written: {type(sys.exc_info()[1]).__name__}")


class LogFile(RotatingFileHandler):
    """A file that is put aside when it is long. A full disk, or somebody who has it open, never stops the daemon."""

    def __init__(self, path: Path, *, most_bytes: int = _FILE_BYTES, files: int = _FILES) -> None:
        super().__init__(
            path, maxBytes=most_bytes, backupCount=files, encoding="utf-8", errors="backslashreplace", delay=True
        )
        self._complained_at: float | None = None
        self._stays_until = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line; the folder is made again where it was cleared away."""
        if self.stream is None:
            with suppress(OSError):  # opening the file says what is wrong
                Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        super().emit(record)

    def shouldRollover(self, record: logging.LogRecord) -> int:  # noqa: N802  (logging's names)
        """Say whether the file is long; not again for a while when it couldn't be renamed."""
        return 0 if time.monotonic() < self._stays_until else int(super().shouldRollover(record))

    def doRollover(self) -> None:  # noqa: N802
        """Put the file aside; on Windows that fails while somebody reads it, and then it grows until the next time."""
        try:
            super().doRollover()
        except OSError as error:
            self._stays_until = time.monotonic() + _PAUSE_SECONDS
            self._complain(error)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Say, once in a while, on stderr that a line could not be written."""
        self._complain(sys.exc_info()[1])

    def _complain(self, error: BaseException | None) -> None:
        now = time.monotonic()
        if self._complained_at is None or now - self._complained_at > _PAUSE_SECONDS:
            self._complained_at = now
            _say(f"log file {self.baseFilename}: {error}; the log goes on here")


def _say(text: str) -> None:
    """Write a line to standard error, if anybody still reads that."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"{text}\n")


class _OfProject(logging.Filter):
    def __init__(self, project: Path) -> None:
        super().__init__()
        self._own = project

    def filter(self, record: logging.LogRecord) -> bool:
        return _project.get() in (None, self._own)


@contextmanager
def _levels(*, is_verbose: bool) -> Iterator[None]:
    """Set what is logged at all, and give back what was set before."""
    levels = {"": logging.WARNING, "bridge": logging.DEBUG, "models": logging.DEBUG, "scripts": logging.DEBUG}
    if not is_verbose:
        levels = {"": logging.ERROR, "bridge": logging.WARNING, "models": logging.WARNING, "scripts": logging.INFO}
    before = {name: logging.getLogger(name).level for name in levels}
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def _only(handlers: list[logging.Handler]) -> Iterator[None]:
    """Have these handlers, and no others, at the root."""
    root = logging.getLogger()
    before = root.handlers[:]
    root.handlers[:] = handlers
    try:
        yield
    finally:
        root.handlers[:] = before
        for handler in handlers:
            handler.close()
