"""An overview in finer cells: the same at the centres, straight in between."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.coords import Window
from models.active.overview import Overview


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 6), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_finer_cells_keep_centres_and_sums_to_one(parts: int, rows: int, columns: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    blob, score = random.random((2, rows, columns), np.float32)
    probabilities = np.stack([1 - blob, blob])
    coarse = Overview(probabilities, score, Window(0, 0, columns, rows, 6.0), ("Background", "Blob"))
    finer = coarse.finer(parts)
    assert finer.window.to_region() == coarse.window.to_region()
    assert finer.score.shape == finer.window.shape
    assert np.allclose(finer.probabilities.sum(axis=0), 1, atol=1e-6)
    middle = slice(parts // 2, None, parts)
    if parts % 2:
        assert np.allclose(finer.score[middle, middle], score, atol=1e-6)
    assert finer.score.min() >= score.min() - 1e-6 and finer.score.max() <= score.max() + 1e-6


def test_between_two_cells_it_is_straight_and_at_the_border_constant() -> None:
    coarse = Overview(
        np.ones((1, 1, 2), np.float32), np.float32([[0.0, 1.0]]), Window(0, 0, 2, 1, 4.0), ("Background",)
    )
    assert coarse.finer(4).score[0].tolist() == [0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1]
    assert coarse.finer(1) is coarse
