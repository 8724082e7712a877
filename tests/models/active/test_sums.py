"""Sums that are exact."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.active import MapBox
from models.active.sums import clipped, integral, least_tissue, quantize, starts_touching, window_sums


@given(hnp.arrays(np.int64, (7, 9), elements=st.integers(0, 99)), st.integers(1, 9), st.integers(1, 7))
@settings(deadline=None, max_examples=50)
def test_window_sums_are_those_of_the_pixels(values: npt.NDArray[np.int64], width: int, height: int) -> None:
    sums = window_sums(integral(values), width, height)
    assert sums.shape == (8 - height, 10 - width)
    for y, x in np.ndindex(sums.shape):
        assert sums[y, x] == values[y : y + height, x : x + width].sum()
    assert (window_sums(integral(values), width, height, 1, 8 - height) == sums[1:]).all()


@given(hnp.arrays(np.float32, (5, 5), elements=st.floats(0, 1, width=32)))
@settings(deadline=None, max_examples=50)
def test_quanta_keep_order_and_ratio(values: npt.NDArray[np.float32]) -> None:
    quanta = quantize(values)
    assert quanta.dtype == np.int64
    if values.max() > 0:
        back = quanta.astype(np.float64) / quanta.max() * values.max()
        assert back == pytest.approx(values.astype(np.float64), abs=float(values.max()) * 2e-9)
    else:
        assert not quanta.any()


def test_tissue_count_is_not_fooled_by_rounding() -> None:
    assert least_tissue(0.1, 30) == 3  # 0.1 * 30 = 3.0000000000000004
    assert least_tissue(0.1, 31) == 4
    assert least_tissue(0.0, 9) == 0
    assert least_tissue(1.0, 9) == 9


def test_boxes_are_clipped_to_the_map() -> None:
    boxes = [(-2, -3, 5, 5), (8, 8, 9, 9), (20, 0, 3, 3), (-9, 0, 9, 3), (2, 2, 1, 1)]
    assert clipped(boxes, (10, 12)) == [(0, 0, 3, 2), (8, 8, 4, 2), (2, 2, 1, 1)]


@given(st.integers(0, 8), st.integers(0, 8), st.integers(1, 4), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))
@settings(deadline=None, max_examples=50)
def test_starts_touching_are_those_of_overlapping_windows(
    x: int, y: int, box_width: int, box_height: int, width: int, height: int
) -> None:
    touching = np.zeros((14, 14), bool)
    touching[starts_touching(MapBox(x, y, box_width, box_height), width, height)] = True
    for row, column in np.ndindex(14, 14):
        overlaps = column < x + box_width and x < column + width and row < y + box_height and y < row + height
        assert touching[row, column] == overlaps
