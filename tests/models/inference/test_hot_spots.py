from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.coords import Window
from bridge.raster import ProbabilityMap
from models.inference import HotSpotOptions, find_hot_spots

EXTENT = Window(0, 0, 40, 30, 4.0)
MPP = (0.5, 0.5)  # 2 µm per pixel of the extent
NAMES = ("Background", "A", "B")


def cold_map() -> np.ndarray:
    probabilities = np.zeros((3, 30, 40), np.float32)
    probabilities[0] = 1
    return probabilities


def heat(probabilities: np.ndarray, rows: slice, columns: slice, *, background: float) -> None:
    probabilities[:, rows, columns] = np.array([background, (1 - background) / 2, (1 - background) / 2])[:, None, None]


def spots(probabilities: np.ndarray, **options: float) -> np.ndarray:
    plain = {"threshold": 0.5, "min_area_um2": 0.0, "padding_um": 0.0, **options}
    bands = [
        ProbabilityMap(probabilities[:, top : top + 10].copy(), Window(0, top, 40, 10, 4.0), NAMES)
        for top in (0, 10, 20)
    ]
    return find_hot_spots(bands, EXTENT, MPP, HotSpotOptions(**plain)).mask.mask


def test_all_classes_together_make_a_spot() -> None:
    probabilities = cold_map()
    heat(probabilities, slice(8, 14), slice(3, 9), background=0.45)
    heat(probabilities, slice(20, 22), slice(3, 9), background=0.55)
    hot = spots(probabilities)
    assert hot.sum() == 36
    assert hot[8:14, 3:9].all()
    assert spots(probabilities, threshold=0.4).sum() == 48


def test_specks_are_dropped_before_padding() -> None:
    probabilities = cold_map()
    heat(probabilities, slice(2, 4), slice(2, 4), background=0.0)  # 4 px = 16 µm²
    heat(probabilities, slice(15, 20), slice(20, 25), background=0.0)  # 100 µm²
    hot = spots(probabilities, min_area_um2=20.0, padding_um=4.0)
    expected = np.zeros_like(hot)
    expected[13:22, 18:27] = True
    assert np.array_equal(hot, expected)


@given(x=st.integers(-20, 200), y=st.integers(-20, 150), side=st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_fine_pixels_are_hot_where_their_coarse_one_is(x: int, y: int, side: int) -> None:
    probabilities = cold_map()
    heat(probabilities, slice(5, 12), slice(30, 40), background=0.0)
    found = find_hot_spots([ProbabilityMap(probabilities, EXTENT, NAMES)], EXTENT, MPP, HotSpotOptions(0.5, 0.0, 0.0))
    window = Window(x, y, side, side)
    rows, columns = np.arange(y, y + side)[:, None], np.arange(x, x + side)
    expected = (rows >= 20) & (rows < 48) & (columns >= 120) & (columns < 160)
    assert np.array_equal(found.over(window), expected)
    assert found.fraction(window.to_region()) == pytest.approx(expected.mean())


def test_off_the_spots_background_is_certain() -> None:
    probabilities = cold_map()
    heat(probabilities, slice(0, 10), slice(0, 10), background=0.0)
    found = find_hot_spots([ProbabilityMap(probabilities, EXTENT, NAMES)], EXTENT, MPP, HotSpotOptions(0.5, 0.0, 0.0))
    uncertain = ProbabilityMap(np.full((3, 20, 160), 1 / 3, np.float32), Window(0, 30, 160, 20), NAMES)
    kept = found.keep(uncertain).probabilities
    assert (kept[:, :10, :40] == np.float32(1 / 3)).all()
    assert (kept[0, 10:] == 1).all()
    assert (kept[1:, :, 40:] == 0).all()


def test_nothing_hot_is_nowhere() -> None:
    assert not spots(cold_map(), padding_um=50.0).any()
