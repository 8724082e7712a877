"""How fast regions are selected, beside the plain way to write the paper's text in NumPy and SciPy, in the same run.

``python -m scripts.bench.selection`` prints one row per method: ours by the clock and by the processor (on a busy
machine they differ), the goal, the plain way by the processor, the ratio of the two, and how many pairs of boxes
overlap in each. The map is 2000 × 2000, l = 64, k = 5, 33 shapes for the non-square method. The last row is the sharing
out of a budget of 2000 regions among 1000 slides with 20 candidates each, no three of one look.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

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

SIDE = 2000
SIZE = 64
COUNT = 5
STEP = 2
MIN_TISSUE = 0.10
GOALS = {
    SelectionMethod.ADAPTIVE: 0.15,
    SelectionMethod.STANDARD: 0.3,
    SelectionMethod.STANDARD_NONSQUARE: 1.0,
}
"""Seconds, for these maps."""
T = TypeVar("T")


class Seconds(NamedTuple):
    """What something took."""

    clock: float
    processor: float


def main() -> None:
    """Print the table."""
    maps = {"smooth": uncertainty_map(np.random.default_rng(0)), "noise": noise_map(np.random.default_rng(1))}
    head = f"{'method, map':<28} {'ours':>9} {'(processor)':>12} {'goal':>8} {'plain':>10} {'ratio':>8}"
    print(f"{head}  overlapping pairs (ours, plain)")
    for map_name, (priority, tissue) in maps.items():
        for method in GOALS:
            print(row(method, map_name, priority, tissue))
    print(budget_row())


def row(method: SelectionMethod, map_name: str, priority: NDArray[np.float32], tissue: NDArray[np.bool_]) -> str:
    """Measure one method on one map."""
    options = SelectionOptions(method, COUNT, SIZE, MIN_TISSUE, shape_step=STEP)
    generator = np.random.default_rng(0)
    ours, selection = _timed(lambda: select_regions(priority, tissue, [], options, generator), runs=3)
    plain = plain_adaptive if method is SelectionMethod.ADAPTIVE else plain_sliding
    theirs, boxes = _timed(lambda: plain(priority * tissue, tissue, options), runs=1)
    pairs = overlapping([scored.box for scored in selection.boxes]), overlapping(boxes)
    name = f"{method.value}, {map_name}"
    return (
        f"{name:<28} {ours.clock:7.3f} s {ours.processor:10.3f} s {GOALS[method]:6.2f} s {theirs.processor:8.3f} s"
        f" {theirs.processor / ours.processor:6.1f} ×  {pairs[0]}, {pairs[1]}"
    )


def budget_row() -> str:
    """Measure the sharing out of a budget."""
    generator = np.random.default_rng(2)
    looks, scores = generator.random((20_000, 9)), generator.random(20_000)
    candidates = [
        Candidate(f"{index % 1000}", float(score), tuple(look.tolist()))
        for index, (score, look) in enumerate(zip(scores, looks, strict=True))
    ]
    ours, found = _timed(lambda: allot(candidates, Budget(5, 2000), DiversityOptions()), runs=3)
    return f"{'budget, 1000 slides':<28} {ours.clock:7.3f} s {ours.processor:10.3f} s  {len(found.chosen)} regions"


def uncertainty_map(generator: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return least confidence of a smooth prediction, and tissue on half of the map."""
    probability = ndimage.gaussian_filter(generator.random((SIDE, SIDE)), 12)
    probability = (probability - probability.min()) / np.ptp(probability)
    tissue = ndimage.gaussian_filter(generator.random((SIDE, SIDE)), 60)
    return (1 - 2 * np.abs(probability - 0.5)).astype(np.float32), tissue > np.median(tissue)


def noise_map(generator: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return what is hardest to prune: every window is about as good as any other, everywhere tissue."""
    return generator.random((SIDE, SIDE), dtype=np.float32), np.ones((SIDE, SIDE), np.bool_)


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


def _timed(work: Callable[[], T], *, runs: int) -> tuple[Seconds, T]:
    """Return the best of some runs."""
    best = Seconds(float("inf"), float("inf"))
    for _ in range(runs):
        start = Seconds(time.perf_counter(), time.process_time())
        result = work()
        took = Seconds(time.perf_counter() - start.clock, time.process_time() - start.processor)
        best = Seconds(min(best.clock, took.clock), min(best.processor, took.processor))
    return best, result


if __name__ == "__main__":
    main()
