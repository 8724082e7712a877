"""Regions to label out of a map, beside the plain way to write the paper's text in NumPy and SciPy.

The maps are 2000 × 2000, l = 64, k = 5, 33 shapes for the non-square method; "noise" is the map that is hardest to
prune. The last row shares a budget of 2000 regions out among 1000 slides with 20 candidates each, no three of one look.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bridge.errors import BridgeError
from models.active import (
    Budget,
    Candidate,
    DiversityOptions,
    MapBox,
    SelectionMethod,
    SelectionOptions,
    allot,
    select_regions,
)
from models.active.sliding import candidate_shapes
from scripts.bench.measuring import Row, Scale, at_most, in_turn, repeated

NAME = "selection"
TITLE = "Regions to label, chosen on one map"
LIBRARIES = ("numpy", "scipy")
SIZE = 64
COUNT = 5
STEP = 2
MIN_TISSUE = 0.10
_PLAIN = "NumPy, SciPy, plainly"


@dataclass(frozen=True, slots=True)
class Method:
    """What is due of one method: seconds at full scale, and the least ratio of the smoke run."""

    method: SelectionMethod
    most_seconds: float
    least_ratio: float


METHODS = (
    Method(SelectionMethod.ADAPTIVE, 0.15, 1.0),
    Method(SelectionMethod.STANDARD, 0.3, 0.6),
    Method(SelectionMethod.STANDARD_NONSQUARE, 1.0, 2.0),
)


class OverlapError(BridgeError):
    """Boxes that were chosen overlap."""


def rows(scale: Scale) -> Iterator[Row]:
    """Measure each method on a smooth map and on noise, and the budget."""
    side = 2000 if scale is Scale.FULL else 500
    maps = {
        "smooth": uncertainty_map(side, np.random.default_rng(0)),
        "noise": noise_map(side, np.random.default_rng(1)),
    }
    for map_name, (priority, tissue) in maps.items():
        for method in METHODS:
            yield _row(method, f"{method.method.value}, {side}² {map_name}", priority, tissue, scale)
    if scale is Scale.FULL:
        yield _budget_row(1000)


def _row(method: Method, work: str, priority: NDArray[np.float32], tissue: NDArray[np.bool_], scale: Scale) -> Row:
    options = SelectionOptions(method.method, COUNT, SIZE, MIN_TISSUE, shape_step=STEP)
    plain = plain_adaptive if method.method is SelectionMethod.ADAPTIVE else plain_sliding
    ours, theirs, selection, boxes = in_turn(
        lambda: select_regions(priority, tissue, [], options, np.random.default_rng(0)),
        lambda: plain(priority * tissue, tissue, options),
        runs=3,
    )
    if overlapping([scored.box for scored in selection.boxes]):
        raise OverlapError(f"{work}: boxes overlap")
    target = at_most(method.most_seconds, "s") if scale is Scale.FULL else None
    note = f"of theirs, {overlapping(boxes)} pairs of boxes overlap; of ours none" if overlapping(boxes) else ""
    return Row(work, ours, _PLAIN, theirs, target, method.least_ratio, note)


def _budget_row(slides: int) -> Row:
    """Measure the sharing out of a budget."""
    generator = np.random.default_rng(2)
    looks, scores = generator.random((20 * slides, 9)), generator.random(20 * slides)
    candidates = [
        Candidate(f"{index % slides}", float(score), tuple(look.tolist()))
        for index, (score, look) in enumerate(zip(scores, looks, strict=True))
    ]
    budget = Budget(5, 2 * slides)
    ours, found = repeated(lambda: allot(candidates, budget, DiversityOptions()), runs=3)
    return Row(f"budget of {len(found.chosen):,} regions among {slides:,} slides", ours)


def uncertainty_map(side: int, generator: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return least confidence of a smooth prediction, and tissue on half of the map."""
    probability = ndimage.gaussian_filter(generator.random((side, side)), 12)
    probability = (probability - probability.min()) / np.ptp(probability)
    tissue = ndimage.gaussian_filter(generator.random((side, side)), 60)
    return (1 - 2 * np.abs(probability - 0.5)).astype(np.float32), tissue > np.median(tissue)


def noise_map(side: int, generator: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return what is hardest to prune: every window is about as good as any other, everywhere tissue."""
    return generator.random((side, side), dtype=np.float32), np.ones((side, side), np.bool_)


def plain_sliding(priority: NDArray[np.float32], tissue: NDArray[np.bool_], options: SelectionOptions) -> list[MapBox]:
    """For every region, sum every window of every shape and take the best that is free."""
    sums, counts = _summed(priority), _summed(tissue)
    boxes: list[MapBox] = []
    for _ in range(options.k):
        best: tuple[float, MapBox] | None = None
        for width, height in candidate_shapes(options, tissue.shape):
            totals = _windows(sums, width, height)
            totals[_windows(counts, width, height) < options.min_tissue * width * height] = -1
            for box in boxes:
                rows = slice(max(0, box.y - height + 1), box.y + box.height)
                totals[rows, max(0, box.x - width + 1) : box.x + box.width] = -1
            y, x = np.unravel_index(int(totals.argmax()), totals.shape)
            if best is None or totals[y, x] > best[0]:
                best = (float(totals[y, x]), MapBox(int(x), int(y), width, height))
        assert best is not None
        boxes.append(best[1])
    return boxes


def plain_adaptive(priority: NDArray[np.float32], tissue: NDArray[np.bool_], options: SelectionOptions) -> list[MapBox]:
    """Filter, then search the percentile with whole-map percentiles and components; nothing forbids overlap."""
    left = ndimage.median_filter(priority, 3, mode="nearest")
    boxes: list[MapBox] = []
    for _ in range(options.k):
        peak = np.unravel_index(int(left.argmax()), left.shape)
        low, high = options.percentiles
        for _ in range(options.rounds):
            percentile = (low + high) / 2
            labels, _count = ndimage.label(left >= np.percentile(left, percentile), structure=np.ones((3, 3)))
            rows, columns = ndimage.find_objects(labels)[int(labels[peak]) - 1]
            box = MapBox(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
            area = box.width * box.height
            if options.size**2 / 4 <= area <= options.size**2 * 9 / 4:
                break
            low, high = (percentile, high) if area > options.size**2 else (low, percentile)
        boxes.append(box)
        left[box.y : box.y + box.height, box.x : box.x + box.width] = 0
    return boxes


def overlapping(boxes: Sequence[MapBox]) -> int:
    """Count the pairs of boxes that overlap."""
    return sum(
        a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height
        for a, b in combinations(boxes, 2)
    )


def _summed(values: NDArray[np.float32] | NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.pad(values.astype(np.float64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))


def _windows(sums: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    return sums[height:, width:] - sums[height:, :-width] - sums[:-height, width:] + sums[:-height, :-width]
