"""Two predictors on one grid: each pixel is what its predictor says there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from bridge.coords import Pyramid, Window
from bridge.raster import ProbabilityMap
from bridge.slides import Slide
from models.training.evaluate import WindowPredictor
from models.training.one_grid import OnGrid, on_one_grid

SLIDE = cast(Slide, SimpleNamespace(pyramid=Pyramid(((4000, 4000),), (1.0,), (0.5, 0.5)), path=Path("s.tif")))


class Checkerboard:
    """Says which square of a board of a side of some level-0 pixels a pixel's centre lies in."""

    names = ("Background", "Blob")

    def __init__(self, mpp: float, side: float) -> None:
        self.mpp, self.side = mpp, side
        self.asked: list[Window] = []

    def predict_window(self, slide: Slide, window: Window, *, margin_px: int = 32) -> ProbabilityMap:
        self.asked.append(window)
        is_blob = board(window, self.side)
        return ProbabilityMap(np.stack([~is_blob, is_blob]).astype(np.float32), window, self.names)


def board(window: Window, side: float) -> Any:
    rows, columns = np.mgrid[window.y : window.bottom, window.x : window.right]
    return (((rows + 0.5) * window.downsample // side + (columns + 0.5) * window.downsample // side) % 2).astype(bool)


@pytest.mark.parametrize("coarse_mpp", [1.0, 1.3, 2.7, 8.0])
@pytest.mark.parametrize("start", [(0, 0), (7, 13), (-5, 100)])
def test_a_coarse_map_is_seen_pixel_by_pixel_where_it_lies(coarse_mpp: float, start: tuple[int, int]) -> None:
    coarse = Checkerboard(coarse_mpp, coarse_mpp / 0.5)  # each of its pixels another than the next
    window = Window(*start, 40, 30, 1.0)  # 0.5 µm per pixel: level 0
    found = OnGrid(coarse, 0.5).predict_window(SLIDE, window)
    assert found.window == window
    assert np.array_equal(found.most_probable().labels == 1, board(window, coarse_mpp / 0.5))


def test_both_are_asked_on_the_finer_ones_grid() -> None:
    fine, coarse = Checkerboard(1.0, 4.0), Checkerboard(8.0, 16.0)
    for pair in (on_one_grid(fine, coarse), on_one_grid(coarse, fine)):
        assert [p.mpp for p in pair] == [1.0, 1.0]
    window = Window(3, 3, 20, 20, 2.0)
    on_one_grid(fine, coarse)[0].predict_window(SLIDE, window)
    assert fine.asked == [window], "its own pixels are not moved"


def test_predictors_of_one_mpp_stay_as_they_are() -> None:
    first, second = Checkerboard(1.0, 4.0), Checkerboard(1.0, 8.0)
    kept: tuple[WindowPredictor, WindowPredictor] = on_one_grid(first, second)
    assert kept == (first, second)
