"""Comma-separated values that people open in a spreadsheet: a slide's name is never taken for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet computes instead of showing, or trims to that
_SHOWN = "'"


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]], *, line_end: str = "\n") -> str:
    """Return a table as CSV: numbers with all digits, texts as `guarded`.

    Parameters
    ----------
    columns
        Headings.
    rows
        As many cells each; None is left empty.
    """
    return "".join(_line(row) + line_end for row in (columns, *rows))


def _line(row: Sequence[object]) -> str:
    text = io.StringIO(newline="")
    # Quoted is what holds a character of the line's end: both kinds, whatever the end is to be (Python 3.11 and 3.12).
    csv.writer(text, lineterminator="\r\n").writerow([guarded(c) if isinstance(c, str) else c for c in row])
    return text.getvalue().removesuffix("\r\n")


def guarded(text: str) -> str:
    """Return a text for a cell: with an apostrophe before it where a spreadsheet would compute it.

    Examples
    --------
    >>> guarded("=1+1"), guarded("case 1")
    ("'=1+1", 'case 1')
    """
    return _SHOWN + text if _is_formula(text) else text


def unguarded(text: str) -> str:
    """Return what `guarded` was given."""
    return text[1:] if text.startswith(_SHOWN) and _is_formula(text) else text


def _is_formula(text: str) -> bool:
    """Say so of guarded ones too: else a name that begins with an apostrophe would come back without it."""
    return text.lstrip(_SHOWN).startswith(_FORMULA)
