"""Where a box may lie on a map: free of taken ones, with enough tissue."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from models.active.options import MapBox
from models.active.smoothing import FloatMap
from models.active.sums import Quanta, integral, least_tissue, quantize, window_sums

Mask = npt.NDArray[np.bool_]
_Scalar = TypeVar("_Scalar", bound=np.generic)


class Places:
    """The free part of a map. Everything is looked at locally, so that its cost doesn't grow with the map.

    Parameters
    ----------
    priority, tissue
        Shape (y, x).
    min_tissue
        Least share of tissue in a box.
    width, height
        Of the smallest box there is, not larger than the map.
    """

    def __init__(self, priority: FloatMap, tissue: Mask, min_tissue: float, width: int, height: int) -> None:
        self._priority = priority
        self._tissue = tissue
        self._min_tissue = min_tissue
        self._width, self._height = width, height
        self._taken = np.zeros(tissue.shape, dtype=np.bool_)

    @property
    def small_size(self) -> tuple[int, int]:
        """(width, height) of the smallest box."""
        return self._width, self._height

    @property
    def taken(self) -> Mask:
        """What is taken; ours, not to be written to."""
        return self._taken

    def block(self, box: MapBox) -> None:
        """Take a box."""
        _crop(self._taken, box)[:] = True

    def has_tissue(self, box: MapBox) -> bool:
        """Say whether a box has enough tissue."""
        least = least_tissue(self._min_tissue, box.width * box.height)
        return int(np.count_nonzero(_crop(self._tissue, box))) >= least

    def can_hold(self, box: MapBox) -> Mask:
        """Say of each pixel of a box whether some free smallest box with enough tissue holds it; shape (y, x)."""
        around = self._around(box)
        starts = integral(self._free_starts(around), np.int32)
        # A pixel is held by the boxes that start at most their size before it; starts outside the crop there are none.
        top, left = box.y - around.y, box.x - around.x
        rows, columns = np.arange(top, top + box.height), np.arange(left, left + box.width)
        row_from, row_to = _limits(rows, self._height, starts.shape[0] - 1)
        column_from, column_to = _limits(columns, self._width, starts.shape[1] - 1)
        held = starts[np.ix_(row_to, column_to)] - starts[np.ix_(row_from, column_to)]
        held = held - starts[np.ix_(row_to, column_from)] + starts[np.ix_(row_from, column_from)]
        return np.asarray(held > 0)

    def best_small(self, peak: tuple[int, int]) -> MapBox:
        """Return the free smallest box around a pixel that has enough tissue and the largest summed priority.

        Of equal ones the first in row order; there must be one (`can_hold`).
        """
        around = self._around(MapBox(peak[1], peak[0], 1, 1))
        totals = window_sums(integral(quantize(_crop(self._priority, around))), self._width, self._height)
        totals[~self._free_starts(around)] = -1
        y, x = divmod(int(totals.argmax()), totals.shape[1])
        return MapBox(around.x + x, around.y + y, self._width, self._height)

    def grown(self, box: MapBox) -> MapBox:
        """Return a box grown about its centre to the smallest size, moved to stay inside the map."""
        return self._placed(box, max(box.width, self._width), max(box.height, self._height))

    def square(self, peak: tuple[int, int], size: int) -> MapBox:
        """Return a square around a pixel, clipped to the map's size and moved to stay inside it."""
        height, width = self._tissue.shape
        return self._placed(MapBox(peak[1], peak[0], 1, 1), min(size, width), min(size, height))

    def largest_free(self, box: MapBox, peak: tuple[int, int]) -> MapBox:
        """Return the largest rectangle inside a box that holds a free pixel and nothing taken.

        Of equally large ones that which goes up the least, then down the least. For each row the free run through the
        pixel's column; for each number of rows up and down the narrowest run.
        """
        taken = _crop(self._taken, box)
        if not taken.any():
            return box
        row, column = peak[0] - box.y, peak[1] - box.x
        up_left, up_right = _runs(taken[row::-1], column)
        down_left, down_right = _runs(taken[row:], column)
        left = np.maximum(up_left[:, None], down_left[None])
        right = np.minimum(up_right[:, None], down_right[None])
        heights = np.add.outer(np.arange(up_left.size), np.arange(down_left.size)) + 1
        up, down = divmod(int((heights * (right - left)).argmax()), down_left.size)
        x, width = int(left[up, down]), int(right[up, down] - left[up, down])
        return MapBox(box.x + x, peak[0] - up, width, up + down + 1)

    def _placed(self, box: MapBox, width: int, height: int) -> MapBox:
        map_height, map_width = self._tissue.shape
        x = min(max(box.x - (width - box.width) // 2, 0), map_width - width)
        y = min(max(box.y - (height - box.height) // 2, 0), map_height - height)
        return MapBox(x, y, width, height)

    def _around(self, box: MapBox) -> MapBox:
        """Return the part of the map that smallest boxes touching a box can cover."""
        map_height, map_width = self._tissue.shape
        left, top = max(0, box.x - self._width + 1), max(0, box.y - self._height + 1)
        right = min(map_width, box.x + box.width + self._width - 1)
        bottom = min(map_height, box.y + box.height + self._height - 1)
        return MapBox(left, top, right - left, bottom - top)

    def _free_starts(self, around: MapBox) -> Mask:
        """Say of each top-left pixel within a crop whether the smallest box there is free and has enough tissue."""
        taken = window_sums(integral(_crop(self._taken, around), np.int32), self._width, self._height)
        tissue = window_sums(integral(_crop(self._tissue, around), np.int32), self._width, self._height)
        least = least_tissue(self._min_tissue, self._width * self._height)
        return np.asarray((taken == 0) & (tissue >= least))


def _crop(values: npt.NDArray[_Scalar], box: MapBox) -> npt.NDArray[_Scalar]:
    return values[box.y : box.y + box.height, box.x : box.x + box.width]


def _limits(
    pixels: npt.NDArray[np.int64], size: int, count: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the range, from and to before, of the starts of boxes that hold each pixel."""
    return np.clip(pixels - size + 1, 0, count), np.clip(pixels + 1, 0, count)


def _runs(taken: Mask, column: int) -> tuple[Quanta, Quanta]:
    """Return (left, right) of the free run through a column, narrowing row by row until the column itself is taken."""
    is_blocked = taken[:, column]
    rows = taken[: int(is_blocked.argmax())] if is_blocked.any() else taken
    width = taken.shape[1]
    left = np.where(rows[:, :column], np.arange(1, column + 1), 0).max(axis=1, initial=0)
    right = np.where(rows[:, column + 1 :], np.arange(column + 1, width), width).min(axis=1, initial=width)
    return np.maximum.accumulate(left), np.minimum.accumulate(right)
