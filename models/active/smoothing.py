"""What the adaptive method does to the whole map: the 3 × 3 median and percentiles of what is left."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

_BAND = 32
_SAMPLE = 61

FloatMap = npt.NDArray[np.float32]
"""float32, shape (y, x)."""


def median3(values: FloatMap) -> FloatMap:
    """Return the 3 × 3 median, the border repeated outwards.

    Columns are sorted once and shared by their three neighbours: the median of nine is the median of (largest of the
    lows, median of the middles, smallest of the highs). Some 20 times as fast as a general rank filter, for the bands
    stay in the processor's cache.
    """
    padded = np.pad(values, 1, mode="edge")
    out = np.empty_like(values)
    for first in range(0, values.shape[0], _BAND):
        rows = out[first : first + _BAND]
        _median_rows(padded[first : first + rows.shape[0] + 2], rows)
    return out


def _median_rows(padded: FloatMap, out: FloatMap) -> None:
    low, high = np.minimum(padded[:-2], padded[1:-1]), np.maximum(padded[:-2], padded[1:-1])
    below = padded[2:]
    middle = np.maximum(low, np.minimum(high, below))
    np.minimum(low, below, out=low)
    np.maximum(high, below, out=high)
    largest_low = np.maximum(np.maximum(low[:, :-2], low[:, 1:-1]), low[:, 2:])
    smallest_high = np.minimum(np.minimum(high[:, :-2], high[:, 1:-1]), high[:, 2:])
    out[:] = _median_of(largest_low, _median_of(middle[:, :-2], middle[:, 1:-1], middle[:, 2:]), smallest_high)


def _median_of(a: FloatMap, b: FloatMap, c: FloatMap) -> FloatMap:
    return np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))


class UpperPercentiles:
    """High percentiles of a non-negative map in which more and more is set to zero.

    Only the largest values are kept and sorted: the map is gone through once, not for every percentile.

    Parameters
    ----------
    values
        Looked at again at every `refresh`; values may only fall to zero in between.
    lowest
        The lowest percentile that will be asked for, 0 to 100.
    spare
        How many values are likely to be set to zero.
    """

    def __init__(self, values: FloatMap, lowest: float, spare: int = 0) -> None:
        self._values = values.reshape(-1)
        self._depth = min(values.size, math.ceil((values.size - 1) * (100 - lowest) / 100) + 2)
        self._spare = spare
        self._collect()

    def refresh(self) -> None:
        """Take note of what was set to zero."""
        found = self._values[self._at]
        if not self._has_all and np.count_nonzero(found) < self._depth:
            self._collect()
        else:
            self._falling = np.sort(found)[::-1]

    def at(self, percentile: float) -> float:
        """Return the percentile of the whole map, zeros included, interpolated linearly as `numpy.percentile` does."""
        place = (self._values.size - 1) * (100 - percentile) / 100
        before = math.floor(place)
        upper, lower = self._value(before), self._value(before + 1)
        return upper - (upper - lower) * (place - before)

    def _value(self, rank: int) -> float:
        return float(self._falling[rank]) if rank < self._falling.size else 0.0

    def _collect(self) -> None:
        """Find the positions of at least the largest values that are needed; the cut comes from a sample.

        `numpy.partition` would do, but takes a second where most of a map is zero.
        """
        sample = np.sort(self._values[::_SAMPLE])[::-1]
        rank = (self._depth + self._spare) // _SAMPLE + _SAMPLE
        while True:
            cutoff = sample[rank] if rank < sample.size else np.float32(0)
            self._has_all = bool(cutoff == 0)
            self._at = np.flatnonzero(self._values > 0 if self._has_all else self._values >= cutoff)
            if self._has_all or self._at.size >= self._depth:
                break
            rank *= 2
        self._falling = np.sort(self._values[self._at])[::-1]
