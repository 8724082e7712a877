from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.measure import label as connected

from bridge.coords import Window
from bridge.raster import LabelMask, vectorize
from models.metrics import ObjectCounts, count_objects, match_objects

small_masks = hnp.arrays(np.bool_, (6, 7))


def boxes(*corners: tuple[float, float, float, float]) -> list[shapely.Polygon]:
    return [shapely.box(*bounds) for bounds in corners]


def outlines(mask: np.ndarray) -> list[shapely.Polygon]:
    labels = mask.astype(np.uint8)
    height, width = mask.shape
    return [shape for _, shape in vectorize(LabelMask(labels, Window(0, 0, width, height), ("Background", "Blob")))]


def largest_matching(ious: np.ndarray, least: float) -> int:
    """Try every assignment of rows to columns."""
    rows, columns = ious.shape
    if rows > columns:
        return largest_matching(ious.T, least)
    tries = permutations(range(columns), rows)
    return max((sum(ious[row, column] >= least for row, column in enumerate(one)) for one in tries), default=0)


def pixel_ious(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    first, second = connected(truth, connectivity=1), connected(predicted, connectivity=1)
    ious = np.zeros((first.max(), second.max()))
    for i in range(first.max()):
        for j in range(second.max()):
            a, b = first == i + 1, second == j + 1
            ious[i, j] = (a & b).sum() / (a | b).sum()
    return ious


@given(small_masks, small_masks, st.sampled_from([0.1, 0.3, 0.5, 0.75]))
@settings(max_examples=60, deadline=None)
def test_counts_are_those_of_the_best_of_all_assignments(
    truth: np.ndarray, predicted: np.ndarray, least: float
) -> None:
    ious = pixel_ious(truth, predicted)
    if max(ious.shape) > 7:
        return  # too many assignments to try
    found = largest_matching(ious, least - 1e-9)
    counts = count_objects(outlines(truth), outlines(predicted), least_iou=least)
    assert counts == ObjectCounts(found, ious.shape[0] - found, ious.shape[1] - found)


def test_a_greedy_matching_would_find_less() -> None:
    # The first true object fits both predictions, best the one that is the only partner of the second.
    truth = boxes((0, 0, 10, 10), (10, 0, 16, 10))
    predicted = boxes((5, 0, 15, 10), (0, 0, 4, 10))
    pairs = match_objects(truth, predicted, least_iou=0.3)
    assert sorted(pairs) == [(0, 1), (1, 0)]


def test_exactly_half_is_enough_and_less_is_not() -> None:
    half = boxes((0, 0, 10, 5))
    assert count_objects(boxes((0, 0, 10, 10)), half) == ObjectCounts(1, 0, 0)
    assert count_objects(boxes((0, 0, 10, 10.01)), half) == ObjectCounts(0, 1, 1)


def test_of_two_predictions_of_one_object_one_is_spurious() -> None:
    counts = count_objects(boxes((0, 0, 10, 10)), boxes((0, 0, 10, 6), (0, 6, 10, 10)))
    assert counts == ObjectCounts(1, 0, 1)
    assert (counts.sensitivity, counts.precision, counts.f1) == (1, 0.5, pytest.approx(2 / 3))


def test_specks_are_no_objects_on_either_side() -> None:
    truth, predicted = boxes((0, 0, 10, 10), (20, 0, 22, 2), (30, 0, 32, 2)), boxes((20, 0, 22, 2), (50, 0, 51, 1))
    assert count_objects(truth, predicted, least_area=10) == ObjectCounts(0, 1, 0)
    assert count_objects(truth, predicted) == ObjectCounts(1, 2, 1)


def test_finding_what_is_too_small_to_be_missed_is_neither_right_nor_wrong() -> None:
    # The prediction is large enough to be written, the speck under it is not large enough to be asked for.
    assert count_objects(boxes((0, 0, 3, 3)), boxes((0, 0, 3, 4)), least_area=10) == ObjectCounts(0, 0, 0)


def test_counts_add_up_and_nothing_has_no_score() -> None:
    assert ObjectCounts(1, 2, 3) + ObjectCounts(4, 5, 6) == ObjectCounts(5, 7, 9)
    assert np.isnan([ObjectCounts().f1, ObjectCounts().sensitivity, ObjectCounts().precision]).all()
    assert match_objects([], boxes((0, 0, 1, 1))) == []


def test_a_threshold_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        match_objects([], [], least_iou=0)


def test_specks_are_not_cut_out_of_a_large_outline(monkeypatch: pytest.MonkeyPatch) -> None:
    # Thousands of specks in one diffuse tumour, whose outline has 200,000 points, took many minutes.
    cut: list[int] = []

    def intersection(first: Any, second: Any) -> Any:
        cut.append(len(first))
        return intersect(first, second)

    intersect = shapely.intersection
    monkeypatch.setattr(shapely, "intersection", intersection)
    specks = [shapely.box(x, y, x + 4, y + 4) for x in range(0, 1000, 40) for y in range(0, 1000, 40)]
    tumour = shapely.box(-10, -10, 1010, 1010)
    assert match_objects([tumour, specks[7]], specks) == [(1, 7)]
    assert match_objects([tumour], [*specks, shapely.box(0, 0, 1000, 1000)]) == [(0, len(specks))]
    assert sum(cut) == 2
