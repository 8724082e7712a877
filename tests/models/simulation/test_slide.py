from __future__ import annotations

import numpy as np
import pytest

from models.simulation import SimulatedSlide

CELLS = np.zeros((2, 3), np.uint8)
FEATURES = np.zeros((2, 3, 4), np.float32)


@pytest.mark.parametrize(
    ("features", "truth"),
    [(FEATURES[:1], CELLS), (FEATURES, CELLS[:1]), (FEATURES, np.zeros((4, 3), np.uint8))],
    ids=["features", "rows", "parts"],
)
def test_arrays_that_do_not_belong_together_are_refused(features: np.ndarray, truth: np.ndarray) -> None:
    with pytest.raises(ValueError, match="slide one"):
        SimulatedSlide("one", "", features, CELLS, truth, CELLS == 0)


def test_a_cell_teaches_where_it_has_tissue_and_a_label() -> None:
    labels = np.array([[0, 1, 255], [0, 1, 255]], np.uint8)
    tissue = np.array([[True] * 3, [False] * 3])
    slide = SimulatedSlide("one", "", FEATURES, labels, CELLS, tissue)
    assert slide.teaches.tolist() == [[True, True, False], [False] * 3]
    assert slide.tissue_area.sum() == 3
