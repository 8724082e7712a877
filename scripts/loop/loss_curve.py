"""The loss of a training while it runs: a small table in ``.slidebridge/curves``, for report and dashboard.

One file a training, ``20260301T120000Z-incremental.csv``; the newest are kept. Whoever reads it meets a file that
grows: a last line without its end is not read.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from scripts.thinning import thinned

logger = logging.getLogger(__name__)

CURVES = "curves"  # in the project's ``.slidebridge``
KEPT = 50
_HEADER = "step,planned,loss,seconds,net"
_STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"(\d{8}T\d{6}Z)-([a-z]+)(?:-(\d+))?\.csv")
_NET = re.compile(r"[\w-]*")
_EVERY_SECONDS = 0.5
_LATER_SHARE = 2e-4  # of the time it took so far: six hours are some 2 MB, and still seen every few seconds
_ROWS_AT_ONCE = 4
_MOST_BYTES = 16_000_000
_MOST = 10**12  # steps, seconds: more is no number of ours


@dataclass(frozen=True, slots=True)
class LossPoint:
    """How far a net's training was at one moment.

    Parameters
    ----------
    planned
        Steps that it is to make, as far as was known then.
    loss
        Mean since the last look at the hold-out; perhaps not finite.
    seconds
        Since the training began, all its nets together.
    net
        Which net of the design: ``low`` and ``high`` of deepzoom, …
    """

    step: int
    planned: int
    loss: float
    seconds: float
    net: str = ""

    def line(self) -> str:
        """Return its row in the file."""
        return f"{self.step},{self.planned},{self.loss:.6g},{self.seconds:.3f},{self.net}\n"

    @classmethod
    def parse(cls, line: str) -> LossPoint | None:
        """Return a row's point; None for a row that is none."""
        fields = line.rstrip("\r\n").split(",")
        try:
            step, planned, loss, seconds, net = fields
            point = cls(int(step), int(planned), float(loss), float(seconds), net)
        except ValueError:  # the header, or what a full disk left of a row
            return None
        is_usable = all(0 <= n <= _MOST for n in (point.step, point.planned, point.seconds)) and _NET.fullmatch(net)
        return point if is_usable else None


@dataclass(frozen=True, slots=True)
class LossCurve:
    """The curve of one training, as far as it is written.

    Parameters
    ----------
    kind
        Of the run: ``incremental``, ``nightly``.
    points
        In the order they were made.
    """

    path: Path
    started_at: datetime
    kind: str
    points: tuple[LossPoint, ...]

    @property
    def last(self) -> LossPoint | None:
        """Where it is now; None before the first."""
        return self.points[-1] if self.points else None

    def by_net(self) -> Mapping[str, Sequence[LossPoint]]:
        """Return each net's points by rising step, in the order the nets were trained.

        Where a net's training began anew, because a slide turned out to be damaged, what it had before is left out.
        """
        nets: dict[str, list[LossPoint]] = {}
        for point in self.points:
            kept = nets.setdefault(point.net, [])
            while kept and kept[-1].step >= point.step:
                kept.pop()
            kept.append(point)
        return nets


class CurveWriter:
    """Writes a training's curve; a disk that is full, or a folder that can't be written, costs one line in the log.

    Use as a context manager: the end writes what is still to be written.

    Parameters
    ----------
    folder
        The project's ``.slidebridge/curves``; made with the first point.
    kind
        Of the run.
    now
        The clock; aware moments.
    """

    def __init__(self, folder: Path, kind: str, now: Callable[[], datetime]) -> None:
        self._folder, self._kind, self._now = folder, kind, now
        self._began = now()
        self._path: Path | None = None
        self._waiting: list[LossPoint] = []
        self._written_at: float | None = None
        self._has_failed = self._is_cut = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write()

    def add(self, net: str, step: int, planned: int, loss: float) -> None:
        """Take in where a net's training is now."""
        seconds = max(0.0, (self._now() - self._began).total_seconds())
        self._waiting.append(LossPoint(step, planned, loss, seconds, net))
        last = self._written_at
        # A clock that was set back must not keep the curve from growing.
        if last is None or not last <= seconds < last + max(_EVERY_SECONDS, seconds * _LATER_SHARE):
            self._written_at = seconds
            self._write()

    def _write(self) -> None:
        rows = "".join(point.line() for point in thinned(self._waiting, _ROWS_AT_ONCE))
        self._waiting.clear()
        if not rows:
            return
        try:
            self._append(rows)
        except OSError as error:
            self._is_cut = True
            if not self._has_failed:
                logger.warning(
                    "the loss curve of this training can't be written (%s); the training goes on folder=%s",
                    error.strerror,
                    self._folder,
                )
            self._has_failed = True

    def _append(self, rows: str) -> None:
        before = "\n" if self._is_cut else ""  # an end for what an earlier write left of a row
        if self._path is None:
            self._path, before = _begin_file(self._folder, self._began, self._kind), _HEADER + "\n"
            _remove_old(self._folder)
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(before + rows)
        self._is_cut = False


def read_curves(folder: Path, most: int = KEPT) -> tuple[LossCurve, ...]:
    """Return the newest curves of a folder, oldest first; one that can't be read is left out."""
    return tuple(curve for path in _files(folder)[-most:] if (curve := read_curve(path)) is not None)


def newest_curve(folder: Path) -> LossCurve | None:
    """Return the curve of the training that began last; None where there is none."""
    return next((curve for path in reversed(_files(folder)) if (curve := read_curve(path)) is not None), None)


def read_curve(path: Path) -> LossCurve | None:
    """Return a curve as far as it is written; None where the file isn't one or can't be read."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    try:
        began = datetime.strptime(match[1], _STAMP).replace(tzinfo=UTC)
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError) as error:
        logger.debug("no loss curve file=%s error=%s", path, error)
        return None
    whole = (line for line in text.splitlines(keepends=True) if line.endswith("\n"))
    points = (point for line in whole if (point := LossPoint.parse(line)) is not None)
    return LossCurve(path, began, match[2], tuple(points))


def _files(folder: Path) -> list[Path]:
    """Return the folder's curves by their begin, oldest first."""
    try:
        found = [(match, path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name)) is not None]
    except OSError:  # there is none before the first training
        return []
    found.sort(key=lambda item: (item[0][1], int(item[0][3] or 1), item[1].name))
    return [path for _, path in found]


def _begin_file(folder: Path, began: datetime, kind: str) -> Path:
    """Make a training's file, empty; two trainings of one second have two."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = began.astimezone(UTC).strftime(_STAMP)
    for number in count(1):
        path = folder / f"{stamp}-{kind}{f'-{number}' if number > 1 else ''}.csv"
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            continue
        break
    return path


def _remove_old(folder: Path) -> None:
    for old in _files(folder)[:-KEPT]:
        try:
            old.unlink(missing_ok=True)
        except OSError as error:  # on Windows, while somebody reads it: the next training removes it
            logger.debug("an old loss curve stays file=%s error=%s", old, error.strerror)
