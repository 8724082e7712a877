"""A table of means ± sd, as Markdown for people and as CSV for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from models.metrics import Spread
from scripts.csv_text import csv_text

Cell = str | int | float | Spread
_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns.

    Parameters
    ----------
    columns
        Headings.
    rows
        As many cells each; in a column either all are `Spread` or none is.
    digits
        Decimals of numbers in Markdown, by column; 3 for columns not named.

    Raises
    ------
    ValueError
        A row of another length.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    digits: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{len(row)} cells under {len(self.columns)} columns: {row}")

    def to_markdown(self) -> str:
        """Return a table of GitHub's Markdown; what is no number there, an en dash."""
        digits = dict(self.digits)
        rows = [
            [_shown(cell, digits.get(column, _DIGITS)) for column, cell in zip(self.columns, row, strict=True)]
            for row in self.rows
        ]
        rules = ["---" if all(isinstance(c, str) for c in column) else "---:" for column in self._by_column()]
        return "\n".join("| " + " | ".join(line) + " |" for line in [list(self.columns), rules, *rows]) + "\n"

    def to_csv(self) -> str:
        """Return comma-separated values, all digits; a spread takes three columns: mean, sd, n."""
        is_spread = [any(isinstance(c, Spread) for c in column) for column in self._by_column()]
        headings = [_headings(name, spread) for name, spread in zip(self.columns, is_spread, strict=True)]
        rows = ([value for cell in row for value in _values(cell)] for row in self.rows)
        return csv_text([name for names in headings for name in names], rows)

    def _by_column(self) -> Sequence[tuple[Cell, ...]]:
        return list(zip(*self.rows, strict=True)) if self.rows else [() for _ in self.columns]


def said(spread: Spread, digits: int = 3, sign: str = "") -> str:
    """Return mean ± sd for a sentence; ``sign`` is ``+`` where gains should show theirs."""
    return f"{spread.mean:{sign}.{digits}f}" + ("" if math.isnan(spread.sd) else f" ± {spread.sd:.{digits}f}")


def _shown(cell: Cell, digits: int) -> str:
    if isinstance(cell, Spread):
        if math.isnan(cell.mean):
            return "–"
        return said(cell, digits)
    if isinstance(cell, float):
        return "–" if math.isnan(cell) else f"{cell:.{digits}f}"
    return str(cell)


def _headings(name: str, is_spread: bool) -> list[str]:
    return [f"{name} mean", f"{name} sd", f"{name} n"] if is_spread else [name]


def _values(cell: Cell) -> list[str | int | float]:
    if isinstance(cell, Spread):
        return [_or_empty(cell.mean), _or_empty(cell.sd), cell.count]
    return [_or_empty(cell)] if isinstance(cell, float) else [cell]


def _or_empty(value: float) -> str | float:
    return "" if math.isnan(value) else value
