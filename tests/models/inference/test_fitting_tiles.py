from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.coords import Pyramid, Window
from bridge.slides import TissueMask
from models.inference import PredictionOptions, fitting_tiles, prediction_grid

SLIDE: Any = SimpleNamespace(pyramid=Pyramid(((4096, 4096),), (1.0,), (0.5, 0.5)), path=None)
NET: Any = SimpleNamespace(mpp=0.5, stride=16, names=("Background", "a"))


def area_of(cells: np.ndarray) -> TissueMask:
    return TissueMask(cells, Window(0, 0, cells.shape[1], cells.shape[0], 4096 / cells.shape[0]))


def pixels(area: TissueMask, options: PredictionOptions) -> int:
    grid = prediction_grid(SLIDE, NET, options)
    rows, _ = grid.shape
    tiles = [tile for row in range(rows) for tile in grid.row(row)]
    inside = [(tile, tile.intersection(grid.window)) for tile in tiles]
    return sum(t.width * t.height for t, part in inside if part and area.fraction(part.to_region()) > 0)


def test_small_areas_far_apart_get_small_tiles() -> None:
    cells = np.zeros((128, 128), bool)
    cells[20:22, 20:22] = cells[90:92, 100:102] = True

    fitting = fitting_tiles(SLIDE, NET, area_of(cells))

    assert (fitting.tile_px, fitting.overlap_px, fitting.batch_size) == (128, 32, 64)
    assert pixels(area_of(cells), fitting) * 4 < pixels(area_of(cells), PredictionOptions())


def test_one_wide_area_keeps_large_tiles() -> None:
    whole = area_of(np.ones((128, 128), bool))

    assert fitting_tiles(SLIDE, NET, whole, PredictionOptions(overlap_px=32)).tile_px == 512


def test_tiles_asked_for_smaller_than_the_least_stay() -> None:
    cells = np.zeros((128, 128), bool)
    cells[20, 20] = True
    asked = PredictionOptions(tile_px=96, overlap_px=16, batch_size=5)

    assert fitting_tiles(SLIDE, NET, area_of(cells), asked) == asked


@settings(max_examples=6, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 31), st.integers(0, 31)), max_size=12), st.sampled_from([128, 256, 512]))
def test_never_more_pixels_than_with_the_tiles_asked_for(hot: list[tuple[int, int]], tile_px: int) -> None:
    cells = np.zeros((32, 32), bool)
    for row, column in hot:
        cells[row, column] = True
    asked = PredictionOptions(tile_px=tile_px)

    fitting = fitting_tiles(SLIDE, NET, area_of(cells), asked)

    assert pixels(area_of(cells), fitting) <= pixels(area_of(cells), asked)
    assert fitting.batch_size * fitting.tile_px**2 <= asked.batch_size * asked.tile_px**2
