"""Times that a person measured with a stopwatch: a CSV file.

    slide;iteration;regions;seconds
    case 1;0;32;1410
    case 2;1;84;1260,5

One line a slide and iteration; several of the same are added up (two sittings). ``iteration``: the training whose
predictions were corrected, 0 for none. ``regions``: outlines annotated, accepted or corrected in that time.
``seconds``: for all of them together. An empty ``slide`` stands for the whole iteration. Columns in any order, others
are passed over; separated by ``;``, ``,`` or tabs. A decimal comma is read where it can be nothing else.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import BridgeError, ConfigError
from scripts.csv_text import unguarded

COLUMNS = ("slide", "iteration", "regions", "seconds")
_SEPARATORS = (";", "\t", ",")  # a comma may be a decimal one where another separates
_DECIMAL = re.compile(r"\d+([.,]\d+)?|[.,]\d+")
_THOUSANDS = re.compile(r"[1-9]\d{0,2},\d{3}")  # a thousand and more, or a little more than one


@dataclass(frozen=True, slots=True)
class MeasuredTime:
    """One line.

    Parameters
    ----------
    slide_key
        None for the whole iteration.
    seconds
        For all the regions together.
    """

    slide_key: str | None
    iteration: int
    regions: int
    seconds: float


def read_times(path: Path, slide_key: Callable[[str], str]) -> tuple[MeasuredTime, ...]:
    """Read a file of measured times.

    Parameters
    ----------
    slide_key
        Finds a slide by what a person calls it; raises ``BridgeError`` for none.

    Raises
    ------
    ConfigError
        It can't be read, or a line is wrong; the message names the line.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}; --times names a CSV file") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text; save it as CSV UTF-8") from error
    try:
        return tuple(_times(text, slide_key))
    except _LineError as error:
        raise ConfigError(f"{path}{error}") from error


class _LineError(ValueError):
    """What is wrong, after ``: line 3: ``."""

    def __init__(self, line: int, said: str) -> None:
        super().__init__(f": line {line}: {said}")


def _times(text: str, slide_key: Callable[[str], str]) -> Iterator[MeasuredTime]:
    lines = _lines(text)
    first = next(lines, None)
    if first is None:
        raise _LineError(1, f"it is empty; the first line names the columns: {', '.join(COLUMNS)}")
    places = _places(*first)
    whole: dict[int, bool] = {}
    for number, cells in lines:
        if any(cell.strip() for cell in cells[len(first[1]) :]):  # 1410,5 between commas: the 5 mustn't be lost
            said = f"{len(cells)} cells under {len(first[1])} columns; put quotes around what holds the separator"
            raise _LineError(number, said)
        found = {name: unguarded(cells[at].strip()) if at < len(cells) else "" for name, at in places.items()}
        time = _time(number, found, slide_key)
        is_whole = time.slide_key is None
        if whole.setdefault(time.iteration, is_whole) != is_whole:
            said = f"iteration {time.iteration} is there as a whole (no slide) and by slides as well; keep one of them"
            raise _LineError(number, said)
        yield time


def _lines(text: str) -> Iterator[tuple[int, Sequence[str]]]:
    """Return (number, cells) of every line with anything in it."""
    head = next((line for line in text.splitlines() if line.strip()), "")
    separator = next((s for s in _SEPARATORS if s in head), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise _LineError(reader.line_num, f"no CSV ({error})") from error


def _places(number: int, head: Sequence[str]) -> Mapping[str, int]:
    names = [cell.strip().casefold() for cell in head]
    for name in COLUMNS:
        if names.count(name) != 1:
            said = "no column" if name not in names else "two columns"
            raise _LineError(number, f"{said} {name!r} in {', '.join(head)!r}; the columns are {', '.join(COLUMNS)}")
    return {name: names.index(name) for name in COLUMNS}


def _time(line: int, found: Mapping[str, str], slide_key: Callable[[str], str]) -> MeasuredTime:
    iteration, regions = (_count(line, name, found[name]) for name in ("iteration", "regions"))
    seconds = _seconds(line, found["seconds"])
    if regions < 1:
        raise _LineError(line, "0 regions take no time per region; leave the line out")
    try:
        key = slide_key(found["slide"]) if found["slide"] else None
    except BridgeError as error:
        raise _LineError(line, str(error)) from error
    return MeasuredTime(key, iteration, regions, seconds)


def _count(line: int, name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise _LineError(line, f"{name} {text!r} is no whole number, 0 or above")
    return int(text)


def _seconds(line: int, text: str) -> float:
    if not _DECIMAL.fullmatch(text):
        raise _LineError(line, f"seconds {text!r} is no number, 0 or above; write 1260.5")
    if _THOUSANDS.fullmatch(text):
        ways = f"{text.replace(',', '')} or {text.replace(',', '.')}"
        raise _LineError(line, f"seconds {text!r} can be read in two ways; write {ways}")
    seconds = float(text.replace(",", "."))
    if not math.isfinite(seconds):
        raise _LineError(line, f"seconds {text!r} is too large")
    return seconds
