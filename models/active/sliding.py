"""Standard selection: every window of one or several shapes, at every pixel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.active.options import MapBox, SelectionMethod, SelectionOptions
from models.active.sums import integral, least_tissue, quantize, starts_touching, window_sums

_BAND = 32
_NOWHERE = -1


def candidate_shapes(options: SelectionOptions, map_shape: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the (width, height) of candidate windows, the squarest first, clipped to the map.

    Standard: l × l. Non-square: widths w from l/2 to l in steps, heights l²/w rounded, and the same lying.

    Examples
    --------
    >>> candidate_shapes(SelectionOptions(SelectionMethod.STANDARD_NONSQUARE, size=8, shape_step=2), (99, 99))
    [(8, 8), (6, 11), (11, 6), (4, 16), (16, 4)]
    """
    size = options.size
    shapes = {(size, size)}
    if options.method is SelectionMethod.STANDARD_NONSQUARE:
        for width in range((size + 1) // 2, size, options.shape_step):
            height = round(size * size / width)
            shapes |= {(width, height), (height, width)}
    map_height, map_width = map_shape
    inside = {(min(width, map_width), min(height, map_height)) for width, height in shapes}
    return sorted(inside, key=lambda shape: (abs(shape[0] - shape[1]), shape))


def select_sliding(
    priority: npt.NDArray[np.float32],
    tissue: npt.NDArray[np.bool_],
    taken: Sequence[MapBox],
    options: SelectionOptions,
) -> tuple[list[MapBox], str | None]:
    """Select the windows of the largest summed priority, one after another, none overlapping.

    Stride 1; a window needs ``min_tissue`` tissue and must overlap nothing taken or selected (greedy non-maximum
    suppression). Of equal sums the first in row order of the top-left pixel wins, then the squarest shape. Windows
    without any priority are not selected.

    Returns
    -------
    boxes, reason
        The reason is None where ``k`` boxes were found.
    """
    search = _BandSearch(priority, tissue, taken, candidate_shapes(options, tissue.shape), options.min_tissue)
    boxes: list[MapBox] = []
    for _ in range(options.k):
        box, total = search.best()
        if box is None:
            return boxes, f"no place is left for a box with {options.min_tissue:.0%} tissue"
        if total == 0:
            return boxes, "the priority is zero in every place that is left"
        boxes.append(box)
        search.block(box)
    return boxes, None


class _BandSearch:
    """The best free window of several shapes, by bands of rows.

    Every (shape, band) has an upper bound of its sums, at first without regard to tissue and taken boxes. A band is
    looked at exactly only when its bound is the largest; what is found stays true until its window gets blocked. So
    the map is summed once per shape, however many windows are selected, and the result is exact.
    """

    def __init__(
        self,
        priority: npt.NDArray[np.float32],
        tissue: npt.NDArray[np.bool_],
        taken: Sequence[MapBox],
        shapes: Sequence[tuple[int, int]],
        min_tissue: float,
    ) -> None:
        self._sums = integral(quantize(priority))
        self._tissue = integral(tissue, np.int32)
        self._blocked = list(taken)
        self._shapes = shapes
        self._least = [least_tissue(min_tissue, width * height) for width, height in shapes]
        bands = [(i, first) for i, shape in enumerate(shapes) for first in range(0, self._rows(shape), _BAND)]
        self._band = np.array(bands, dtype=np.int64)
        self._bound = np.array([window_sums(self._sums, *shapes[i], *self._span(i, y)).max() for i, y in bands])
        self._exact = np.zeros(len(bands), dtype=np.bool_)
        self._found = np.zeros((len(bands), 2), dtype=np.int64)  # (y, x)

    def best(self) -> tuple[MapBox | None, int]:
        """Return the best free window and its sum; None where there is none."""
        while True:
            largest = self._bound.max()
            if largest == _NOWHERE:
                return None, 0
            is_largest = self._bound == largest
            open_bands = np.flatnonzero(is_largest & ~self._exact)
            if open_bands.size == 0:
                return self._first(np.flatnonzero(is_largest)), int(largest)
            for band in open_bands.tolist():
                self._look(band)

    def block(self, box: MapBox) -> None:
        """Keep later windows off a box."""
        self._blocked.append(box)
        sizes = np.array(self._shapes)[self._band[:, 0]]
        y, x = self._found.T
        overlaps = (x < box.x + box.width) & (x + sizes[:, 0] > box.x)
        overlaps &= (y < box.y + box.height) & (y + sizes[:, 1] > box.y)
        self._exact &= ~overlaps | (self._bound == _NOWHERE)

    def _rows(self, shape: tuple[int, int]) -> int:
        return int(self._sums.shape[0]) - shape[1]

    def _span(self, shape: int, first: int) -> tuple[int, int]:
        return first, min(first + _BAND, self._rows(self._shapes[shape]))

    def _first(self, bands: npt.NDArray[np.int64]) -> MapBox:
        """Return the window of the first of equally good bands."""
        y, x, shape = min((*self._found[band].tolist(), int(self._band[band, 0])) for band in bands)
        return MapBox(x, y, *self._shapes[shape])

    def _look(self, band: int) -> None:
        """Find the best free window of a band exactly."""
        shape, first = self._band[band].tolist()
        width, height = self._shapes[shape]
        span = self._span(shape, first)
        totals = window_sums(self._sums, width, height, *span)
        totals[window_sums(self._tissue, width, height, *span) < self._least[shape]] = _NOWHERE
        for box in self._blocked:
            rows, columns = starts_touching(box, width, height)
            totals[max(0, rows.start - first) : max(0, rows.stop - first), columns] = _NOWHERE
        at = int(totals.argmax())
        row, column = divmod(at, totals.shape[1])
        self._bound[band], self._found[band], self._exact[band] = totals[row, column], (first + row, column), True
