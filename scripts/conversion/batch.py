"""Many conversions, one after the other: one that fails is reported and never stops the rest."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from bridge.errors import BridgeError, ConfigError, WriteFailedError
from scripts.conversion.finding import Job
from scripts.conversion.report import ConversionReport, encodable
from scripts.conversion.run import ConversionOptions, ConversionRequest, convert
from scripts.csv_text import csv_text
from scripts.plain_words import counted
from scripts.progress import Progress, Silent

_REPORT_SUFFIXES = (".csv", ".json")
_COLUMNS = ("status", "read", "written", "left out", "lost", "repaired", "seconds")


class Status(StrEnum):
    """What became of a file."""

    CONVERTED = "converted"
    FAILED = "failed"
    PASSED_OVER = "passed over"  # no annotations


@dataclass(frozen=True, slots=True)
class Row:
    """One file of many.

    Parameters
    ----------
    target
        Empty where nothing was to be written.
    read, written, repaired
        Objects.
    left_out
        Objects that are not in the target, by reason.
    lost
        What written objects lost → how many of them.
    reason
        Why it failed or was passed over.
    notes
        One line each, for people.
    """

    source: str
    target: str
    status: Status
    seconds: float = 0.0
    read: int = 0
    written: int = 0
    repaired: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, report: ConversionReport, seconds: float) -> Row:
        """Return the row of a conversion that was done."""
        return cls(
            report.source,
            report.target,
            Status.CONVERTED,
            seconds,
            report.read,
            report.written,
            report.repaired,
            report.left_out,
            report.lost,
            notes=report.notes,
        )

    def cells(self) -> tuple[str, ...]:
        """Return the numbers of the table."""
        counts = (self.read, self.written, sum(self.left_out.values()), sum(self.lost.values()), self.repaired)
        return (str(self.status), *map(str, counts), f"{self.seconds:.1f}")


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What became of every file, in their order."""

    rows: tuple[Row, ...]
    is_dry_run: bool = False

    @classmethod
    def of_one(cls, report: ConversionReport, seconds: float) -> BatchReport:
        """Return the report of one file that was converted."""
        return cls((Row.of(report, seconds),), report.is_dry_run)

    @property
    def has_failed(self) -> bool:
        """Whether any file failed."""
        return any(row.status is Status.FAILED for row in self.rows)

    def count(self, status: Status) -> int:
        """Count the files of which this became."""
        return sum(row.status is status for row in self.rows)

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        counts = {status.value.replace(" ", "_"): self.count(status) for status in Status}
        return {**counts, "is_dry_run": self.is_dry_run, "files": [_encodable(asdict(row)) for row in self.rows]}

    def lines(self) -> list[str]:
        """Return a table for people: a line per file, what it lost or why it failed below it."""
        shown = [row for row in self.rows if row.status is not Status.PASSED_OVER]
        table = [_COLUMNS, *(row.cells() for row in shown)]
        widths = [max(len(cells[i]) for cells in table) for i in range(len(_COLUMNS))]
        lines = [f"{_aligned(_COLUMNS, widths)}  file"] if shown else []
        for row, cells in zip(shown, table[1:], strict=True):
            arrow = f" → {row.target}" if row.target else ""
            lines += [f"{_aligned(cells, widths)}  {row.source}{arrow}", *_details(row)]
        return [encodable(line) for line in (*lines, *self._sums())]

    def _sums(self) -> list[str]:
        done = [row for row in self.rows if row.status is Status.CONVERTED]
        failed, passed = self.count(Status.FAILED), self.count(Status.PASSED_OVER)
        verb = "would convert" if self.is_dry_run else "converted"
        objects = f"{sum(row.written for row in done)} of {counted(sum(row.read for row in done), 'object')}"
        lines = [f"{verb} {counted(len(done), 'file')} ({objects}); {failed} failed; {passed} passed over"]
        reasons = Counter(row.reason for row in self.rows if row.status is Status.PASSED_OVER)
        lines += [f"passed over: {', '.join(f'{n} × {why}' for why, n in reasons.most_common())}"] if reasons else []
        return lines if self.rows else ["there is nothing to convert: no file was found"]

    def write(self, path: Path) -> None:
        """Write the report as ``.csv`` (a row per file) or ``.json``.

        Raises
        ------
        WriteFailedError
            Folder or disk don't take it.
        """
        text = self._csv() if path.suffix.lower() == ".csv" else json.dumps(self.as_json(), indent=2, default=str)
        try:
            path.write_text(text, "utf-8", newline="")
        except OSError as error:
            raise WriteFailedError(f"{path}: the report can't be written ({error.strerror})") from error

    def _csv(self) -> str:
        names = ["source", "target", "status", "seconds", "read", "written", "repaired"]
        return csv_text(
            [*names, "left_out", "lost", "reason", "notes"],
            ([_cell(cell) for cell in (*(asdict(row)[name] for name in names), *_told(row))] for row in self.rows),
            line_end="\r\n",
        )


def _told(row: Row) -> Sequence[object]:
    return _listed(row.left_out), _listed(row.lost), row.reason, "; ".join(row.notes)


def _cell(value: object) -> object:
    return value if isinstance(value, int | float) else encodable(str(value))


def check_report_path(path: Path | None) -> None:
    """Refuse a report that couldn't be written at the end, before anything is done.

    Raises
    ------
    ConfigError
        Another suffix, or no such folder.
    """
    if path is None:
        return
    if path.suffix.lower() not in _REPORT_SUFFIXES:
        raise ConfigError(f"{path}: a report is one of {', '.join(_REPORT_SUFFIXES)}")
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.parent}; make it first")


def convert_all(
    jobs: Sequence[Job],
    options: ConversionOptions,
    progress: Progress | None = None,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.perf_counter,
) -> BatchReport:
    """Convert one file after the other.

    Parameters
    ----------
    options
        What holds for all of them.
    sleep
        Waits, after a file of people's was replaced, until the displaced one may be deleted.
    """
    shown = progress or Silent()
    shown.start("converting", len(jobs))
    rows = []
    for job in jobs:
        rows.append(_row(job, options, sleep, clock))
        shown.advance(note=Path(job.source).name)
    return BatchReport(tuple(rows), options.is_dry_run)


def _row(job: Job, options: ConversionOptions, sleep: Callable[[float], None], clock: Callable[[], float]) -> Row:
    if job.read_from is None or job.write_to is None:
        failed = job.error is not None
        reason = job.error or job.passed_over or ""
        return Row(job.source, "", Status.FAILED if failed else Status.PASSED_OVER, reason=reason)
    request = ConversionRequest(job.read_from, job.write_to, job.slide, options, makes_folder=True)
    start = clock()
    try:
        report = convert(request, sleep=sleep)
    except BridgeError as error:
        return Row(job.source, str(job.write_to), Status.FAILED, clock() - start, reason=str(error))
    except OSError as error:  # a share that went away, a name that the disk doesn't take: the next file may do
        reason = f"{error.filename or job.source}: {error.strerror or error}"
        return Row(job.source, str(job.write_to), Status.FAILED, clock() - start, reason=reason)
    return replace(Row.of(report, clock() - start), source=job.source)


def _details(row: Row) -> list[str]:
    lines = [row.reason] if row.reason else []
    lines += [f"left out: {_listed(row.left_out)}"] if row.left_out else []
    lines += [f"lost: {_listed(row.lost)}"] if row.lost else []
    return [f"    {line}" for line in (*lines, *row.notes)]


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items())


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)])


def _encodable(value: object) -> object:
    """Return a value whose texts UTF-8 can hold."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, Mapping):
        return {encodable(str(key)): _encodable(inner) for key, inner in value.items()}
    return [_encodable(inner) for inner in value] if isinstance(value, (list, tuple)) else value
