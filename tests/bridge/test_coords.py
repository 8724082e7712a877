"""Regions, windows, pyramids, units."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.coords import Pyramid, Region, Window, downsample_for, um2_to_px2, um_to_px

places = st.integers(-10_000, 200_000)
sizes = st.integers(1, 50_000)
regions = st.builds(Region, places, places, sizes, sizes)
downsamples = st.sampled_from([1.0, 2.0, 4.0, 4.0001, 7.3, 16.0, 32.5, 1.1])
small_windows = st.builds(
    Window, st.integers(-20, 20), st.integers(-20, 20), st.integers(1, 30), st.integers(1, 30), st.just(2.0)
)
PYRAMID = Pyramid(((40_001, 30_000), (10_000, 7_500), (2_500, 1_875)), (1.0, 4.0, 16.0), (0.25, 0.25))


@given(st.tuples(*[st.integers(-(2**26), 2**26).map(lambda n: n / 64)] * 4))
def test_region_from_bounds_holds_them_and_no_smaller_one_does(bounds: tuple[float, float, float, float]) -> None:
    left, right = sorted(bounds[:2])
    top, bottom = sorted(bounds[2:])
    region = Region.from_bounds(left, top, right, bottom)
    assert region.x <= left < region.x + 1
    assert region.y <= top < region.y + 1
    assert right <= region.right and (region.right - 1 < right or region.width == 1)
    assert bottom <= region.bottom and (region.bottom - 1 < bottom or region.height == 1)


def test_region_from_a_point_is_one_pixel() -> None:
    assert Region.from_bounds(3.0, 4.0, 3.0, 4.0) == Region(3, 4, 1, 1)


@given(regions, regions)
def test_intersection_is_the_same_from_both_sides_and_lies_in_both(first: Region, second: Region) -> None:
    shared = first.intersection(second)
    assert shared == second.intersection(first)
    expected = first.to_polygon().intersection(second.to_polygon()).area
    assert (shared.area if shared else 0) == expected
    if shared:
        assert first.contains(shared) and second.contains(shared)


def test_regions_that_touch_share_nothing() -> None:
    assert Region(0, 0, 10, 10).intersection(Region(10, 0, 10, 10)) is None


@given(regions)
def test_region_and_polygon_agree(region: Region) -> None:
    assert region.to_polygon().bounds == region.bounds
    assert region.to_polygon().area == region.area
    assert region.contains(region)


@pytest.mark.parametrize("size", [(0, 1), (1, 0), (-3, 5)])
def test_sizes_must_be_positive(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="positive size"):
        Region(0, 0, *size)
    with pytest.raises(ValueError, match="positive size"):
        Window(0, 0, *size)


@pytest.mark.parametrize("downsample", [0.0, 0.5, -2.0, math.nan, math.inf])
def test_downsample_is_at_least_one_and_finite(downsample: float) -> None:
    with pytest.raises(ValueError, match="downsample"):
        Window(0, 0, 1, 1, downsample)


@given(regions, downsamples)
def test_covering_window_holds_the_region_with_less_than_a_pixel_to_spare(region: Region, downsample: float) -> None:
    window = Window.covering(region, downsample)
    left, top, right, bottom = window.bounds
    slack = 1e-6 * downsample  # a quotient that should be whole may miss it by an ulp
    assert region.x - downsample - slack < left <= region.x + slack
    assert region.y - downsample - slack < top <= region.y + slack
    assert region.right - slack <= right < region.right + downsample + slack
    assert region.bottom - slack <= bottom < region.bottom + downsample + slack


@given(small_windows)
def test_window_to_region_holds_the_window(window: Window) -> None:
    left, top, right, bottom = window.bounds
    region = window.to_region()
    assert region.x <= left and region.y <= top and region.right >= right and region.bottom >= bottom


@given(small_windows, st.integers(1, 40))
def test_tiles_hold_each_pixel_once(window: Window, tile_px: int) -> None:
    count = np.zeros(window.shape, dtype=int)
    for tile in window.tiles(tile_px):
        assert tile.width <= tile_px and tile.height <= tile_px
        assert tile.downsample == window.downsample
        count[window.slices(tile)] += 1
    assert (count == 1).all()


def test_tiles_of_no_size_are_refused() -> None:
    for tile_px in (0, -8):
        with pytest.raises(ValueError, match="positive size"):
            next(Window(0, 0, 4, 4).tiles(tile_px))


@given(small_windows, small_windows)
def test_windows_of_one_grid_share_whole_pixels(first: Window, second: Window) -> None:
    shared = first.intersection(second)
    assert shared == second.intersection(first)
    if shared is None:
        return
    rows, columns = np.indices(first.shape)
    inside = np.stack([rows + first.y, columns + first.x])[(slice(None), *first.slices(shared))]
    assert inside[0, 0, 0] == shared.y and inside[1, 0, 0] == shared.x
    assert inside.shape[1:] == shared.shape


def test_slices_of_a_window_that_reaches_out_are_refused_instead_of_wrapping() -> None:
    window = Window(0, 0, 10, 10)
    for outside in (Window(-1, 0, 5, 5), Window(8, 8, 5, 5), Window(20, 20, 2, 2)):
        with pytest.raises(ValueError, match="doesn't lie inside"):
            window.slices(outside)


def test_windows_of_two_downsamples_share_no_grid() -> None:
    with pytest.raises(ValueError, match="share no grid"):
        Window(0, 0, 4, 4, 2.0).intersection(Window(0, 0, 4, 4, 4.0))


@pytest.mark.parametrize(
    ("downsample", "level"),
    [(1.0, 0), (3.9, 0), (3.97, 1), (4.0, 1), (15.0, 1), (16.0, 2), (500.0, 2), (0.5, 0)],
)
def test_best_level_is_the_coarsest_that_is_fine_enough(downsample: float, level: int) -> None:
    assert PYRAMID.best_level_for(downsample) == level


def test_best_level_does_not_trust_the_order_of_levels() -> None:
    shuffled = Pyramid(((1000, 1000), (62, 62), (250, 250)), (1.0, 16.0, 4.0), None)
    assert shuffled.best_level_for(8.0) == 2


@given(downsamples)
def test_whole_slide_window_covers_the_slide(downsample: float) -> None:
    assert PYRAMID.window_at(downsample) == Window.covering(PYRAMID.bounds, downsample)
    assert PYRAMID.window_at(downsample).shape == (
        math.ceil(30_000 / downsample),
        math.ceil(40_001 / downsample),
    )


def test_downsample_for_a_working_mpp() -> None:
    assert downsample_for((0.25, 0.25), 1.0) == 4.0
    assert downsample_for((0.2, 0.45), 0.6) == pytest.approx(2.0)
    assert downsample_for((2.0, 2.0), 1.0) == 1.0  # never finer than the slide


@settings(max_examples=50)
@given(st.floats(0.05, 10), st.floats(0.05, 10), st.floats(0.1, 1e5))
def test_units_agree_with_each_other(mpp_x: float, mpp_y: float, length_um: float) -> None:
    length_px = um_to_px(length_um, (mpp_x, mpp_y))
    assert um2_to_px2(length_um**2, (mpp_x, mpp_y)) == pytest.approx(length_px**2)
    assert length_px * math.sqrt(mpp_x * mpp_y) == pytest.approx(length_um)


def test_values_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Region(0, 0, 1, 1).x = 3  # type: ignore[misc]
