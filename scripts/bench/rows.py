"""What a measurement says: figures with their spread, rows beside a named other, growth with size, and targets."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np


class Scale(Enum):
    """How large the inputs are."""

    FULL = "full"
    """As the table of goals has them: minutes."""

    SMOKE = "smoke"
    """So small that a bench takes some seconds: for the guard that every test run passes."""


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of some runs, with the least and the most of them.

    Parameters
    ----------
    unit
        ``"s"``, ``"MiB"``, ``"µs/object"``: less is better; ``"tiles/s"``, ``"%"``: more is better.
    """

    median: float
    least: float
    most: float
    unit: str = "s"
    runs: int = 1

    @staticmethod
    def of(values: Iterable[float], unit: str = "s") -> Figure:
        """Return the figure of at least one value."""
        found = sorted(values)
        return Figure(statistics.median(found), found[0], found[-1], unit, len(found))

    @property
    def is_more_better(self) -> bool:
        """Say so of rates and shares."""
        return self.unit.endswith(("/s", "%"))

    def rate(self, count: float, things: str) -> Figure:
        """Return how many things a second these seconds are: ``figure.rate(6241, "tiles")`` is in ``tiles/s``."""
        assert self.unit == "s", "a rate is made of seconds"
        return Figure(count / self.median, count / self.most, count / self.least, f"{things}/s", self.runs)

    def each(self, count: float, thing: str) -> Figure:
        """Return the microseconds that these seconds are for each: ``figure.each(50_000, "object")``."""
        assert self.unit == "s", "what one takes is made of seconds"
        median, least, most = (1e6 * value / count for value in (self.median, self.least, self.most))
        return Figure(median, least, most, f"µs/{thing}", self.runs)

    def __str__(self) -> str:
        return f"{_digits(self.median)} {self.unit}"


class Aim(Enum):
    """What a target says of."""

    AT_MOST = "≤"
    AT_LEAST = "≥"
    RATIO_AT_LEAST = "ratio ≥"


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be reached; made by `at_most`, `at_least` or `ratio_at_least`."""

    aim: Aim
    value: float
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.aim.value} {self.value:g} {self.unit}".strip()


def at_most(value: float, unit: str) -> Target:
    """Return a target for our own figure."""
    return Target(Aim.AT_MOST, value, unit)


def at_least(value: float, unit: str) -> Target:
    """Return a target for our own figure."""
    return Target(Aim.AT_LEAST, value, unit)


def ratio_at_least(value: float) -> Target:
    """Return a target for how many times better ours is."""
    return Target(Aim.RATIO_AT_LEAST, value)


@dataclass(frozen=True, slots=True)
class Row:
    """One work, ours beside the named other.

    Parameters
    ----------
    work
        What is measured, with its sizes.
    ours, theirs
        In the same unit. ``theirs`` is None where nothing is beside it, or where the peer isn't there (``note`` says
        why).
    peer
        Who the other is; empty where there is none.
    target
        Of the table of goals; None: none is set.
    least_ratio
        What the smoke run calls a fault when ours falls below it, generous: a third of what is usual. None: not
        guarded.

    Raises
    ------
    ValueError
        The two figures, or ours and its target, are of different units.
    """

    work: str
    ours: Figure
    peer: str = ""
    theirs: Figure | None = None
    target: Target | None = None
    least_ratio: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        units = {figure.unit for figure in (self.ours, self.theirs) if figure is not None}
        if self.target is not None and self.target.aim is not Aim.RATIO_AT_LEAST:
            units.add(self.target.unit)
        if len(units) > 1:
            raise ValueError(f"{self.work}: {' and '.join(sorted(units))} can't be compared")

    @property
    def ratio(self) -> float | None:
        """How many times better ours is than theirs, whatever the unit."""
        if self.theirs is None:
            return None
        better, worse = (self.ours, self.theirs) if self.ours.is_more_better else (self.theirs, self.ours)
        return better.median / worse.median

    @property
    def is_reached(self) -> bool | None:
        """Say whether the target is reached; None where there is none, or nothing to compare with."""
        if self.target is None:
            return None
        if self.target.aim is Aim.RATIO_AT_LEAST:
            return None if self.ratio is None else self.ratio >= self.target.value
        is_most = self.target.aim is Aim.AT_MOST
        return self.ours.median <= self.target.value if is_most else self.ours.median >= self.target.value

    @property
    def is_slow(self) -> bool:
        """Say whether it fell below what the smoke run allows."""
        return self.least_ratio is not None and self.ratio is not None and self.ratio < self.least_ratio


@dataclass(frozen=True, slots=True)
class Scaling:
    """One work at growing sizes.

    Parameters
    ----------
    sizes, figures
        As many of each, at least two; sizes and medians above 0.
    unit_of_size
        What grows: ``"objects"``, ``"slides"``.
    most_exponent
        Above it, the growth is a fault; 1 is linear. None: only told.
    """

    work: str
    sizes: tuple[float, ...]
    figures: tuple[Figure, ...]
    unit_of_size: str
    most_exponent: float | None = None
    note: str = ""

    @property
    def exponent(self) -> float:
        """The power of the size with which the figure grows."""
        return exponent(self.sizes, [figure.median for figure in self.figures])

    @property
    def is_reached(self) -> bool | None:
        """Say whether it grows no faster than it may; None where no bound is set."""
        return None if self.most_exponent is None else self.exponent <= self.most_exponent

    @property
    def is_slow(self) -> bool:
        """Say whether it grows faster than it may."""
        return self.is_reached is False


def exponent(sizes: Sequence[float], figures: Sequence[float]) -> float:
    """Return p of figure = c · sizeᵖ, by least squares on logarithms."""
    return float(np.polyfit(np.log(np.asarray(sizes)), np.log(np.asarray(figures)), 1)[0])


def _digits(value: float) -> str:
    """Return three digits that count, thousands set off."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
