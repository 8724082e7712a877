from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.coords import Window
from bridge.raster import LabelMask, ProbabilityMap

WINDOW = Window(-2, 5, 4, 3, 2.0)
NAMES = ("Background", "Tumor")


def test_label_mask_refuses_another_shape() -> None:
    with pytest.raises(ValueError, match="shape"):
        LabelMask(np.zeros((4, 3), np.uint8), WINDOW, NAMES)


def test_label_mask_refuses_another_dtype() -> None:
    with pytest.raises(ValueError, match="uint8"):
        LabelMask(np.zeros((3, 4), np.int64), WINDOW, NAMES)


def test_probability_map_needs_one_plane_per_class() -> None:
    with pytest.raises(ValueError, match="shape"):
        ProbabilityMap(np.zeros((3, 3, 4), np.float32), WINDOW, NAMES)


def test_probability_map_refuses_another_dtype() -> None:
    with pytest.raises(ValueError, match="float32"):
        ProbabilityMap(np.zeros((2, 3, 4), np.float64), WINDOW, NAMES)


def test_crop_takes_the_pixels_of_the_window() -> None:
    values = ProbabilityMap(np.arange(24, dtype=np.float32).reshape(2, 3, 4), WINDOW, NAMES)
    cut = values.crop(Window(-1, 6, 2, 2, 2.0))
    assert cut.probabilities.tolist() == [[[5, 6], [9, 10]], [[17, 18], [21, 22]]]


def test_crop_refuses_to_reach_beyond() -> None:
    values = ProbabilityMap(np.zeros((2, 3, 4), np.float32), WINDOW, NAMES)
    with pytest.raises(ValueError, match="inside"):
        values.crop(Window(1, 6, 2, 2, 2.0))


def test_most_probable_class_is_the_first_of_equals() -> None:
    planes = np.zeros((2, 3, 4), np.float32)
    planes[1, 0, 0] = 0.75
    labels = ProbabilityMap(planes, WINDOW, NAMES).most_probable().labels
    assert labels[0, 0] == 1
    assert labels.sum() == 1


@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_the_most_probable_class_is_the_first_of_the_largest(classes: int, rows: int, columns: int, seed: int) -> None:
    planes = np.random.default_rng(seed).integers(0, 4, (classes, rows, columns)).astype(np.float32)
    names = tuple(map(str, range(classes)))
    for shown in (planes, np.broadcast_to(planes[:, :1, :1], planes.shape)):
        found = ProbabilityMap(shown, Window(0, 0, columns, rows), names).most_probable()
        assert np.array_equal(found.labels, shown.argmax(axis=0))
