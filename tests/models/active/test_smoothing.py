"""The median and the percentiles against the libraries'."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from models.active.smoothing import UpperPercentiles, median3


@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.floats(0, 1, width=32)))
@settings(deadline=None, max_examples=60)
def test_median_is_scipys(values: npt.NDArray[np.float32]) -> None:
    assert (median3(values) == ndimage.median_filter(values, 3, mode="nearest")).all()


def test_median_across_bands() -> None:
    values = np.random.default_rng(0).random((101, 37), dtype=np.float32)
    assert (median3(values) == ndimage.median_filter(values, 3, mode="nearest")).all()


@pytest.mark.parametrize("zeros", [0.0, 0.5, 0.9, 0.97, 0.985, 0.9999, 1.0])
@pytest.mark.parametrize("levels", [None, 3, 50])
def test_percentiles_are_numpys(zeros: float, levels: int | None) -> None:
    generator = np.random.default_rng(1)
    values = generator.random((150, 131), dtype=np.float32)
    if levels:
        values = np.round(values * levels).astype(np.float32) / np.float32(levels)
    values[generator.random(values.shape) < zeros] = 0
    percentiles = UpperPercentiles(values, 98.0)
    for percentile in (98.0, 98.5, 99.0, 99.3331, 99.998, 100.0):
        assert percentiles.at(percentile) == pytest.approx(
            np.percentile(values.astype(np.float64), percentile), abs=1e-6
        )


def test_percentiles_follow_what_is_set_to_zero() -> None:
    values = np.random.default_rng(2).random((120, 110), dtype=np.float32)
    percentiles = UpperPercentiles(values, 98.0, spare=10)
    for cut in (0.995, 0.98, 0.9, 0.5, 0.0):
        values[values > cut] = 0
        percentiles.refresh()
        for percentile in (98.0, 99.1, 100.0):
            expected = np.percentile(values.astype(np.float64), percentile)
            assert percentiles.at(percentile) == pytest.approx(expected, abs=1e-6)


@given(st.integers(1, 5), st.integers(1, 5))
@settings(deadline=None, max_examples=20)
def test_percentiles_of_tiny_maps(height: int, width: int) -> None:
    values = np.arange(height * width, dtype=np.float32).reshape(height, width)
    assert UpperPercentiles(values, 98.0).at(98.5) == pytest.approx(np.percentile(values, 98.5), rel=1e-5)
