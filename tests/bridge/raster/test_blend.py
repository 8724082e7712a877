from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bridge.coords import Window
from bridge.raster import BandBlender, ProbabilityMap, TileGrid, blend_weights

NAMES = ("Background", "Tumor")


@st.composite
def grids(draw: st.DrawFn) -> TileGrid:
    tile_px = draw(st.integers(2, 12))
    window = Window(
        draw(st.integers(-9, 9)), draw(st.integers(-9, 9)), draw(st.integers(1, 40)), draw(st.integers(1, 40)), 2.0
    )
    return TileGrid(window, tile_px, draw(st.integers(0, tile_px - 1)))


def filled(tile: Window, values: NDArray[np.float32] | float) -> ProbabilityMap:
    return ProbabilityMap(np.broadcast_to(np.float32(values), (2, *tile.shape)).astype(np.float32), tile, NAMES)


def noise(grid: TileGrid) -> Iterator[ProbabilityMap]:
    generator = np.random.default_rng(3)
    for tile in grid:
        yield ProbabilityMap(generator.random((2, *tile.shape), np.float32), tile, NAMES)


def blended(blender: BandBlender, tiles: Iterable[ProbabilityMap]) -> Iterator[ProbabilityMap]:
    """Yield all bands, each as soon as the tiles allow."""
    for tile in tiles:
        yield from blender.add(tile)
    yield from blender.finish()


@given(st.integers(1, 64), st.data())
@settings(max_examples=50, deadline=None)
def test_weights_are_positive_and_symmetric(tile_px: int, data: st.DataObject) -> None:
    weights = blend_weights(tile_px, data.draw(st.integers(0, tile_px - 1)))
    assert weights.shape == (tile_px, tile_px)
    assert weights.dtype == np.float32
    assert weights.min() > 0
    assert weights.max() <= 1
    assert np.array_equal(weights, weights.T)
    assert np.allclose(weights, weights[::-1])


def test_ramps_of_two_neighbours_add_up_to_one() -> None:
    side = blend_weights(32, 12)[16]
    assert np.allclose(side[-12:] + side[:12], 1, atol=2e-3)


@settings(max_examples=80, deadline=None)
@given(grids())
def test_tiles_cover_every_pixel(grid: TileGrid) -> None:
    window, tiles = grid.window, list(grid)
    covered = np.zeros(window.shape, int)
    for tile in tiles:
        shared = window.intersection(tile)
        assert shared is not None, "a tile that covers nothing"
        covered[window.slices(shared)] += 1
    assert covered.min() >= 1
    assert len(tiles) == len(grid)
    assert [grid.row_of(tile) for tile in tiles] == [i for i in range(grid.shape[0]) for _ in range(grid.shape[1])]


@settings(max_examples=80, deadline=None)
@given(grids())
def test_bands_hold_every_pixel_once_and_a_constant_stays_itself(grid: TileGrid) -> None:
    y = grid.window.y
    for band in blended(BandBlender(grid, NAMES), (filled(tile, 0.3) for tile in grid)):
        assert (band.window.x, band.window.y, band.window.width) == (grid.window.x, y, grid.window.width)
        assert np.allclose(band.probabilities, 0.3, rtol=1e-5)
        y = band.window.bottom
    assert y == grid.window.bottom


@settings(max_examples=60, deadline=None)
@given(grids())
def test_bands_are_the_weighted_mean_of_the_whole(grid: TileGrid) -> None:
    rows, columns = grid.shape
    size = (2, rows * grid.step_px + grid.overlap_px, columns * grid.step_px + grid.overlap_px)
    sums, total = np.zeros(size), np.zeros(size[1:])
    weights = blend_weights(grid.tile_px, grid.overlap_px)
    for tile in noise(grid):
        y, x = tile.window.y - grid.window.y, tile.window.x - grid.window.x
        at = np.s_[y : y + grid.tile_px, x : x + grid.tile_px]
        sums[(slice(None), *at)] += tile.probabilities * weights
        total[at] += weights
    expected = (sums / total)[:, : grid.window.height, : grid.window.width]
    bands = [band.probabilities for band in blended(BandBlender(grid, NAMES), noise(grid))]
    assert np.allclose(np.concatenate(bands, axis=1), expected, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(grids(), st.data())
def test_resumed_blending_gives_the_same_bands(grid: TileGrid, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, grid.shape[0] - 1))
    start = grid.first_row_under(first)
    all_bands = list(blended(BandBlender(grid, NAMES), noise(grid)))
    late = (tile for tile in noise(grid) if grid.row_of(tile.window) >= start)
    resumed = list(blended(BandBlender(grid, NAMES, first_band=first), late))
    assert [band.window for band in resumed] == [band.window for band in all_bands[first:]]
    for band, expected in zip(resumed, all_bands[first:], strict=True):
        assert np.array_equal(band.probabilities, expected.probabilities)


def test_band_comes_as_soon_as_the_next_row_begins() -> None:
    grid = TileGrid(Window(0, 0, 8, 10), 4, 1)
    blender = BandBlender(grid, NAMES)
    counts = [len(list(blender.add(filled(tile, 0.5)))) for tile in grid]
    rows, columns = grid.shape
    assert counts == ([0] * columns + ([1] + [0] * (columns - 1)) * (rows - 1))
    assert len(list(blender.finish())) == 1


def test_where_no_tile_fell_background_is_certain() -> None:
    grid = TileGrid(Window(0, 0, 8, 8), 4, 0)
    tiles = [filled(tile, 0.5) for tile in grid if (tile.x, tile.y) == (4, 0)]
    top, bottom = blended(BandBlender(grid, NAMES), tiles)
    assert top.probabilities[:, 0, [0, 7]].tolist() == [[1.0, 0.5], [0.0, 0.5]]
    assert (bottom.probabilities[0] == 1).all()
    named = list(blended(BandBlender(grid, NAMES, empty=(0.25, 0.75)), []))
    assert {tuple(p) for band in named for p in band.probabilities.reshape(2, -1).T.tolist()} == {(0.25, 0.75)}


def test_memory_does_not_grow_with_the_height() -> None:
    def peak(height: int) -> int:
        grid = TileGrid(Window(0, 0, 300, height), 32, 8)
        tracemalloc.start()
        for _ in blended(BandBlender(grid, NAMES), (filled(tile, 0.5) for tile in grid)):
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(2000) < 1.1 * peak(200)


def test_tile_of_a_finished_row_is_refused() -> None:
    grid = TileGrid(Window(0, 0, 8, 12), 4, 0)
    first, *_, last = grid
    blender = BandBlender(grid, NAMES)
    list(blender.add(filled(last, 0.5)))
    with pytest.raises(ValueError, match="too late"):
        blender.add(filled(first, 0.5))


@pytest.mark.parametrize(
    "tile", [Window(1, 0, 4, 4), Window(0, 0, 5, 5), Window(8, 0, 4, 4), Window(0, -4, 4, 4), Window(0, 0, 4, 4, 2.0)]
)
def test_tile_of_another_grid_is_refused(tile: Window) -> None:
    blender = BandBlender(TileGrid(Window(0, 0, 8, 8), 4, 0), NAMES)
    with pytest.raises(ValueError, match="no tile"):
        blender.add(filled(tile, 0.5))


def test_tile_of_other_classes_is_refused() -> None:
    grid = TileGrid(Window(0, 0, 4, 4), 4, 0)
    tile = ProbabilityMap(np.zeros((1, 4, 4), np.float32), grid.window, ("Background",))
    with pytest.raises(ValueError, match="classes"):
        BandBlender(grid, NAMES).add(tile)


@pytest.mark.parametrize("overlap_px", [-1, 4])
def test_overlap_must_be_smaller_than_the_tile(overlap_px: int) -> None:
    with pytest.raises(ValueError, match="overlap"):
        TileGrid(Window(0, 0, 8, 8), 4, overlap_px)


def test_bands_that_no_tile_covers_take_no_memory_however_many_come_at_once() -> None:
    grid = TileGrid(Window(0, 0, 4_000, 20_000), 64, 8)
    blender = BandBlender(grid, NAMES)
    list(blender.add(filled(next(iter(grid)), 0.5)))
    tracemalloc.start()
    bands = list(blender.finish())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(band.window.height for band in bands) == 20_000
    assert peak < 3 * bands[0].probabilities.nbytes, "of some 350 bands only those under the tile are held"
    assert all((band.probabilities[0] == 1).all() for band in bands[2:5])


@given(grids(), st.sets(st.integers(0, 400)), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_what_is_left_out_changes_nothing_of_what_is_there(grid: TileGrid, left_out: set[int], seed: int) -> None:
    generator = np.random.default_rng(seed)
    sums, total = np.zeros((2, *grid.window.shape)), np.zeros(grid.window.shape)
    tiles = []
    for number, tile in enumerate(grid):
        if number not in left_out:
            tiles.append(ProbabilityMap(generator.random((2, *tile.shape), np.float32), tile, NAMES))
            inside = tile.intersection(grid.window)
            assert inside is not None
            here, there = grid.window.slices(inside), tile.slices(inside)
            weights = blend_weights(grid.tile_px, grid.overlap_px)[there]
            sums[:, *here] += tiles[-1].probabilities[:, *there] * weights
            total[here] += weights
    plainly = np.where(total > 0, sums / np.where(total > 0, total, 1), np.array([1, 0])[:, None, None])
    found = np.concatenate([band.probabilities for band in blended(BandBlender(grid, NAMES), tiles)], axis=1)
    assert np.allclose(found, plainly, atol=1e-5)
