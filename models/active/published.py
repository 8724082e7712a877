"""How the code published with the paper behaves, for comparison with `select_regions`; never for a person's slides.

Written from observations of that code (github.com/DeepMicroscopy/AdaptiveRegionSelection, 6220d56), not from its text.
What is reproduced, with the number in facts/papers.md, section D.2:

* (1) ``STANDARD`` and ``STANDARD_NONSQUARE`` are off by one: a window is reported one row above and one column left of
  where its sum was taken. Windows in row or column 0 are never scored, and one in the far corner is missed by one.
* (4) They mark a taken box by its top-left pixel alone, and only in the shape that it has itself; then they drop as
  many of the best windows as there are taken boxes. So a region may lie inside a larger taken box, and the best region
  is dropped wherever a taken box didn't get its mark or lost it to its neighbour.
* (3) ``ADAPTIVE`` sets boxes to zero and nothing more: boxes overlap; where nothing informative is left, the same box
  comes again and again.
* (5) Its size test is one of area, whatever ``size_rule`` says.
* (6) An area counts only if the peak lies strictly inside its outline, drawn through the centres of its outermost
  pixels. If not, the box of the threshold before stays. A box at (0, 0) means "not found", also where it is the true
  one, and gives way to l/2 × l/2 around the peak. That is kept off the last row and column, and on a map no larger than
  itself it begins at a negative coordinate.
* (10) Thresholds are percentiles of the whole map, zeros included: under 2 % of non-zero pixels make an area of all.
* ``RANDOM`` tries 25 times, then 25 times more around the tissue, and stops (section D.1).

Not reproduced: (2) the crash of ``ADAPTIVE`` with k = 1, which came from plotting; (6) the end of its search at the
first outline of three corners, which only tiny areas come after. Where the observations are silent, what the paper says
is done. The published code works on a map of 128 level-0 pixels, bilinear between patches of 256: pass such a map to
compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.active.options import MapBox, ScoredBox, SelectionMethod, SelectionOptions, boxes_of
from models.active.selection import checked_priority
from models.active.sliding import candidate_shapes
from models.active.smoothing import FloatMap, median3
from models.active.sums import Quanta, clipped, integral, least_tissue, quantize, starts_touching, window_sums

_MARK = np.iinfo(np.int64).max
_GONE = -1
_TRIES = 25


@dataclass(frozen=True, slots=True)
class PublishedSelection:
    """What the published code would select; no `Selection`, whose promises it doesn't keep.

    Parameters
    ----------
    boxes
        In its order. They may overlap each other and taken boxes, be the same, or reach over the map's border.
    reason
        Why there are fewer than asked for; None where there are not.
    """

    boxes: tuple[ScoredBox, ...]
    reason: str | None = None


def select_as_published(
    priority: npt.NDArray[np.floating],
    tissue: npt.NDArray[np.bool_],
    taken: Sequence[tuple[int, int, int, int]],
    options: SelectionOptions,
    generator: np.random.Generator,
) -> PublishedSelection:
    """Select regions with the faults of the published code; arguments as for `select_regions`.

    ``options.min_tissue`` is used by ``SelectionMethod.RANDOM`` only.

    Raises
    ------
    ValueError
        The maps differ in shape or are empty, or a priority is negative or not finite.
    """
    important = checked_priority(priority, tissue)
    chosen = [MapBox(*box) for box in taken]
    match options.method:
        case SelectionMethod.RANDOM:
            boxes = _random(tissue, chosen, options, generator)
            return PublishedSelection(tuple(ScoredBox(box, 0.0) for box in boxes), _shortage(boxes, options))
        case SelectionMethod.ADAPTIVE:
            boxes = _adaptive(important, chosen, options)
        case _:
            boxes = _sliding(important, chosen, options)
    scored = tuple(ScoredBox(box, _mean(important, box)) for box in boxes)
    return PublishedSelection(scored, _shortage(boxes, options))


def _sliding(priority: FloatMap, chosen: Sequence[MapBox], options: SelectionOptions) -> list[MapBox]:
    """Suppress what overlaps the best, one after another, and cut off as many of the head as were chosen before."""
    shapes = candidate_shapes(options, priority.shape)
    sums = integral(quantize(priority))
    # The first row and column of sums are missing: entry (0, 0) is the window at (1, 1).
    totals = [window_sums(sums, width, height)[1:, 1:].copy() for width, height in shapes]
    for box in chosen:
        _mark(totals, shapes, box)
    best = [_take_best(totals, shapes) for _ in range(len(chosen) + options.k)]
    return [box for box in best[len(chosen) :] if box is not None]


def _mark(totals: Sequence[Quanta], shapes: Sequence[tuple[int, int]], box: MapBox) -> None:
    """Put the top-left pixel of a chosen box first, in the map of its own shape; a single shape is everyone's."""
    for shape, total in zip(shapes, totals, strict=True):
        is_own = len(shapes) == 1 or shape == (box.width, box.height)
        if is_own and 0 <= box.y < total.shape[0] and 0 <= box.x < total.shape[1]:
            total[box.y, box.x] = _MARK


def _take_best(totals: Sequence[Quanta], shapes: Sequence[tuple[int, int]]) -> MapBox | None:
    """Return the best window that is left, and suppress what overlaps it in all shapes; None where nothing is left."""
    best = max((int(total.max(initial=_GONE)) for total in totals), default=_GONE)
    if best == _GONE:
        return None
    at = next(i for i, total in enumerate(totals) if int(total.max(initial=_GONE)) == best)
    y, x = divmod(int(totals[at].argmax()), totals[at].shape[1])
    box = MapBox(x, y, *shapes[at])
    for (width, height), total in zip(shapes, totals, strict=True):
        total[starts_touching(box, width, height)] = _GONE
    return box


def _adaptive(priority: FloatMap, chosen: Sequence[MapBox], options: SelectionOptions) -> list[MapBox]:
    """Return the box of one peak after another; each is set to zero, and that is all."""
    left = median3(priority)
    for box in clipped(chosen, left.shape):
        left[box.y : box.y + box.height, box.x : box.x + box.width] = 0
    boxes: list[MapBox] = []
    for _ in range(options.k):
        y, x = divmod(int(left.argmax()), left.shape[1])
        boxes.append(_searched(left, (y, x), options))
        for box in clipped(boxes[-1:], left.shape):
            left[box.y : box.y + box.height, box.x : box.x + box.width] = 0
    return boxes


def _searched(left: FloatMap, peak: tuple[int, int], options: SelectionOptions) -> MapBox:
    """Bisect the percentile; what was found for one threshold stays while the next finds nothing."""
    low, high = options.percentiles
    box = MapBox(0, 0, 0, 0)
    for _ in range(options.rounds):
        percentile = (low + high) / 2
        box = _area_box(left >= np.percentile(left, percentile), peak) or box
        if 4 * box.width * box.height > 9 * options.size**2:
            low = percentile
        elif 4 * box.width * box.height < options.size**2:
            high = percentile
        else:
            break
    return _fallback(left.shape, peak, max(1, options.size // 2)) if (box.x, box.y) == (0, 0) else box


def _area_box(mask: npt.NDArray[np.bool_], peak: tuple[int, int]) -> MapBox | None:
    """Return the bounding box of the area around a peak, or None where the peak isn't strictly inside its outline.

    The outline goes through the centres of the outermost pixels, so these are on it: a pixel is inside if its four
    neighbours belong to the area, holes filled; beyond the map's border nothing does.
    """
    from scipy import ndimage  # a quarter of a second: not when only the options are wanted

    labels, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    if labels[peak] == 0:
        return None
    rows, columns = ndimage.find_objects(labels)[int(labels[peak]) - 1]
    area = ndimage.binary_fill_holes(labels[rows, columns] == labels[peak])
    if not ndimage.binary_erosion(area)[peak[0] - rows.start, peak[1] - columns.start]:
        return None
    return MapBox(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)


def _fallback(shape: tuple[int, int], peak: tuple[int, int], side: int) -> MapBox:
    """Return a small square around a peak, kept inside one row and column too strictly; negative on small maps."""
    height, width = shape
    x = min(max(peak[1] - side // 2, 0), width - side - 1)
    y = min(max(peak[0] - side // 2, 0), height - side - 1)
    return MapBox(x, y, side, side)


def _random(
    tissue: npt.NDArray[np.bool_], chosen: Sequence[MapBox], options: SelectionOptions, generator: np.random.Generator
) -> list[MapBox]:
    """Try squares that begin in the tissue's bounding box, then in that box grown by l, and stop for good."""
    boxes: list[MapBox] = []
    for _ in range(options.k):
        box = _tried(tissue, [*chosen, *boxes], options, 0, generator)
        box = box or _tried(tissue, [*chosen, *boxes], options, options.size, generator)
        if box is None:
            break
        boxes.append(box)
    return boxes


def _tried(
    tissue: npt.NDArray[np.bool_],
    blocked: Sequence[MapBox],
    options: SelectionOptions,
    margin: int,
    generator: np.random.Generator,
) -> MapBox | None:
    rows, columns = np.flatnonzero(tissue.any(axis=1)), np.flatnonzero(tissue.any(axis=0))
    if rows.size == 0:
        return None
    height, width = (min(options.size, side) for side in tissue.shape)
    for _ in range(_TRIES):
        y = int(generator.integers(rows[0] - margin, rows[-1] + margin + 1))
        x = int(generator.integers(columns[0] - margin, columns[-1] + margin + 1))
        if not (0 <= y <= tissue.shape[0] - height and 0 <= x <= tissue.shape[1] - width):
            continue
        has_tissue = np.count_nonzero(tissue[y : y + height, x : x + width]) >= least_tissue(
            options.min_tissue, width * height
        )
        box = MapBox(x, y, width, height)
        if has_tissue and not any(_overlap(box, other) for other in blocked):
            return box
    return None


def _overlap(a: MapBox, b: MapBox) -> bool:
    return a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height


def _mean(priority: FloatMap, box: MapBox) -> float:
    """Return the mean priority in what of a box lies on the map."""
    for inside in clipped([box], priority.shape):
        part = priority[inside.y : inside.y + inside.height, inside.x : inside.x + inside.width]
        return float(part.mean(dtype=np.float64))
    return 0.0


def _shortage(boxes: Sequence[MapBox], options: SelectionOptions) -> str | None:
    if len(boxes) == options.k:
        return None
    return f"{boxes_of(len(boxes), options.k)}: the published code found no more"
