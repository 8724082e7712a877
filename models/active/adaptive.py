"""Adaptive selection (Qiu et al., MICCAI 2023): the bounding boxes of informative areas.

One region after another: the peak of the 3 × 3-median-filtered map; the connected area (8 neighbours) around it that
lies above a percentile; its bounding box; the percentile searched by bisection so that the box is between l/2 and 3l/2.
Where the paper is silent: areas are made of non-zero pixels only (with under 2 % of them the 98th percentile is zero,
and every pixel would do); a box is never laid over a taken one, and never has too little tissue: it is cut back to
what is free around the peak, and where that is too small, the smallest box (l/2 × l/2) with the largest sum takes its
place. Pixels that no box can hold (in gaps between taken boxes) are passed over as peaks and stay in the map; an area
is then cut no higher than its own peak.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.active.options import MapBox, SelectionOptions, SizeRule
from models.active.places import Places
from models.active.smoothing import FloatMap, UpperPercentiles, median3

_EIGHT = np.ones((3, 3), dtype=np.bool_)


def select_adaptive(
    priority: FloatMap, tissue: npt.NDArray[np.bool_], taken: Sequence[MapBox], options: SelectionOptions
) -> tuple[list[MapBox], str | None]:
    """Select boxes around the peaks of a map.

    Parameters
    ----------
    priority
        Zero outside tissue.

    Returns
    -------
    boxes, reason
        The reason is None where ``k`` boxes were found.
    """
    areas = _InformativeAreas(priority, tissue, taken, options)
    boxes: list[MapBox] = []
    while len(boxes) < options.k:
        peak = areas.next_peak()
        if peak is None:
            return boxes, "no informative area is left where a box fits"
        boxes.append(areas.box_around(peak))
        areas.take(boxes[-1])
    return boxes, None


class _InformativeAreas:
    """The filtered map, what of it is still to be had, and the places for boxes."""

    def __init__(
        self, priority: FloatMap, tissue: npt.NDArray[np.bool_], taken: Sequence[MapBox], options: SelectionOptions
    ) -> None:
        self._options = options
        self._priority = priority
        height, width = priority.shape
        least = (options.size + 1) // 2
        self._places = Places(priority, tissue, options.min_tissue, min(least, width), min(least, height))
        for box in taken:
            self._places.block(box)
        self._is_filtered = True
        self._search_in(median3(priority))

    def next_peak(self) -> tuple[int, int] | None:
        """Return (y, x) of the highest pixel, first in row order, that a free box with enough tissue can hold.

        When the filtered map has none left, the search goes on in the unfiltered one, where thin areas still are.
        """
        while True:
            y, x = divmod(int(self._peaks.argmax()), self._peaks.shape[1])
            if self._peaks[y, x] > 0:
                if self._places.can_hold(MapBox(x, y, 1, 1)).all():
                    return y, x
                self._pass_over(y, x)
            elif self._is_filtered:
                self._is_filtered = False
                self._search_in(self._priority)
            else:
                return None

    def box_around(self, peak: tuple[int, int]) -> MapBox:
        """Return the box of the area around a peak that `next_peak` gave."""
        self._percentiles.refresh()
        box = self._places.largest_free(self._wanted_box(peak), peak)
        if self._is_small(box) or not self._places.has_tissue(box):
            return self._places.best_small(peak)
        return box

    def take(self, box: MapBox) -> None:
        """Set a box to zero and keep later ones off it."""
        for values in (self._left, self._peaks):
            values[box.y : box.y + box.height, box.x : box.x + box.width] = 0
        self._places.block(box)

    def _search_in(self, values: FloatMap) -> None:
        """Look for areas in a map from now on, except in what is taken."""
        self._left = np.where(self._places.taken, np.float32(0), values)
        self._peaks = self._left.copy()
        lowest, _ = self._options.percentiles
        self._percentiles = UpperPercentiles(self._left, lowest, spare=self._options.k * self._options.size**2)

    def _pass_over(self, y: int, x: int) -> None:
        """Strike a peak that no box can hold, and around it at once all pixels that none can hold, as peaks."""
        reach = 2 * self._options.size
        top, left = max(0, y - reach), max(0, x - reach)
        height, width = min(len(self._left), y + reach + 1) - top, min(self._left.shape[1], x + reach + 1) - left
        around = self._peaks[top : top + height, left : left + width]
        around[~self._places.can_hold(MapBox(left, top, width, height))] = 0

    def _wanted_box(self, peak: tuple[int, int]) -> MapBox:
        """Search the percentile whose area has a box in range; see the fallbacks at the end.

        Without one in range, the largest box that was too small grows to l/2 per side. Where every box was too large,
        the upper end of the range is tried last. If that plateau is still too large, or a thin area grew too large,
        the box is l × l around the peak.
        """
        low, high = self._options.percentiles
        small: MapBox | None = None
        for _ in range(self._options.rounds):
            percentile = (low + high) / 2
            box = self._area_box(peak, self._percentiles.at(percentile))
            if box is None:
                low = percentile
            elif self._is_small(box):
                small, high = box, percentile
            else:
                return box
        small = small or self._area_box(peak, self._percentiles.at(self._options.percentiles[1]))
        grown = self._places.grown(small) if small is not None and self._is_small(small) else small
        return self._places.square(peak, self._options.size) if grown is None or self._is_large(grown) else grown

    def _area_box(self, peak: tuple[int, int], threshold: float) -> MapBox | None:
        """Return the bounding box of the peak's area, or None where it is too large.

        Only a crop is labelled; it doubles as long as the area reaches its border and is not too large yet.
        """
        threshold = min(threshold, float(self._left[peak]))
        reach = 3 * self._options.size // 2 + 1
        while True:
            box, is_cut = self._area_box_within(peak, threshold, reach)
            if self._is_large(box):
                return None
            if not is_cut:
                return box
            reach *= 2

    def _area_box_within(self, peak: tuple[int, int], threshold: float, reach: int) -> tuple[MapBox, bool]:
        """Return the bounding box within a crop, and whether the area may go on beyond it."""
        from scipy import ndimage  # a quarter of a second: not when only the options are wanted

        y, x = peak
        top, left = max(0, y - reach), max(0, x - reach)
        crop = self._left[top : y + reach + 1, left : x + reach + 1]
        labels, _ = ndimage.label((crop >= threshold) & (crop > 0), structure=_EIGHT)
        area = labels == labels[y - top, x - left]
        rows, columns = np.flatnonzero(area.any(axis=1)), np.flatnonzero(area.any(axis=0))
        box = MapBox(
            left + int(columns[0]), top + int(rows[0]), int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1
        )
        height, width = self._left.shape
        is_cut = (
            (box.x == left > 0)
            or (box.y == top > 0)
            or (box.x + box.width == left + crop.shape[1] < width)
            or (box.y + box.height == top + crop.shape[0] < height)
        )
        return box, is_cut

    def _is_large(self, box: MapBox) -> bool:
        if self._options.size_rule is SizeRule.SIDE:
            return 2 * max(box.width, box.height) > 3 * self._options.size
        return 4 * box.width * box.height > 9 * self._options.size**2

    def _is_small(self, box: MapBox) -> bool:
        width, height = self._places.small_size
        if self._options.size_rule is SizeRule.SIDE:
            return box.width < width or box.height < height
        return box.width * box.height < min(width * height, self._options.size**2 / 4)
