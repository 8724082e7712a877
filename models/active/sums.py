"""Window sums, exact: integral images in whole numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from models.active.options import MapBox

Quanta = npt.NDArray[np.int64]
"""Whole numbers, shape (y, x)."""

_BITS = 32


def quantize(priority: npt.NDArray[np.float32]) -> Quanta:
    """Return a non-negative map in units of 2⁻³² of its largest value (rounded up to a power of two).

    Sums of whole numbers don't depend on their order, so that ties are ties; sums of 10⁹ pixels fit.
    """
    _, exponent = math.frexp(float(priority.max(initial=0.0)))
    return np.ldexp(priority, _BITS - exponent).astype(np.int64)


def integral(values: npt.NDArray[np.integer] | npt.NDArray[np.bool_], dtype: type[np.integer] = np.int64) -> Quanta:
    """Return the sums above and left of each pixel corner, shape (height + 1, width + 1)."""
    sums = np.zeros((values.shape[0] + 1, values.shape[1] + 1), dtype=dtype)
    np.cumsum(values, axis=1, out=sums[1:, 1:], dtype=dtype)
    np.cumsum(sums[1:, 1:], axis=0, out=sums[1:, 1:])
    return sums


def window_sums(sums: Quanta, width: int, height: int, first: int = 0, last: int | None = None) -> Quanta:
    """Return the sum of each window by its top-left pixel, for the rows from ``first`` to before ``last``.

    Parameters
    ----------
    sums
        From `integral`.
    """
    last = sums.shape[0] - height if last is None else last
    below, above = sums[first + height : last + height], sums[first:last]
    out = below[:, width:] - below[:, :-width]
    out -= above[:, width:]
    out += above[:, :-width]
    return out


def least_tissue(min_tissue: float, area: int) -> int:
    """Return how many tissue pixels a window of an area needs at least."""
    return math.ceil(min_tissue * area - 1e-9)


def clipped(boxes: Iterable[tuple[int, int, int, int]], shape: tuple[int, int]) -> list[MapBox]:
    """Return the parts of boxes that lie on a map of shape (height, width)."""
    height, width = shape
    inside = []
    for x, y, box_width, box_height in boxes:
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + box_width, width), min(y + box_height, height)
        if right > left and bottom > top:
            inside.append(MapBox(left, top, right - left, bottom - top))
    return inside


def starts_touching(box: MapBox, width: int, height: int) -> tuple[slice, slice]:
    """Return (rows, columns) of the top-left pixels of windows that overlap a box."""
    return (
        slice(max(0, box.y - height + 1), box.y + box.height),
        slice(max(0, box.x - width + 1), box.x + box.width),
    )
