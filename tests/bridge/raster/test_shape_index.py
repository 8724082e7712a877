from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio.features
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.transform import Affine
from shapely.geometry import LineString, MultiPolygon, Polygon, shape
from shapely.geometry.base import BaseGeometry

from bridge.annotations import repair_area
from bridge.coords import Window
from bridge.errors import InvalidGeometryError
from bridge.raster import ShapeIndex

DOWNSAMPLES = (1.0, 2.0, 3.7, 4.0, 16.0)
SIDE = 24  # of the canvas that shapes are drawn around, in grid pixels

# Whole and half numbers lie on pixel edges and centres; quarters on neither; floats anywhere; the last far outside.
ordinates = st.one_of(
    st.integers(-4, SIDE + 4).map(float),
    st.integers(-8, 2 * SIDE + 8).map(lambda n: n / 2),
    st.integers(-16, 4 * SIDE + 16).map(lambda n: n / 4),
    st.floats(-4, SIDE + 4),
    st.sampled_from((-1e6, 1e6, -123456.75, 98765.4)),
)
points = st.tuples(ordinates, ordinates)
rings = st.lists(points, min_size=3, max_size=9)
drawings = st.one_of(
    st.builds(Polygon, rings),
    st.builds(Polygon, rings, st.lists(rings, min_size=1, max_size=2)),
    st.builds(lambda parts: MultiPolygon([Polygon(part) for part in parts]), st.lists(rings, min_size=2, max_size=3)),
)
origins = st.sampled_from(((0, 0), (-7, 5), (1_000_000, -1_000_000), (87_654, 43_210)))


def place(geometry: BaseGeometry, origin: tuple[int, int], downsample: float) -> BaseGeometry:
    return shapely.transform(geometry, lambda grid: (grid + origin) * downsample)


def tilings(window: Window, width: int, height: int) -> list[Window]:
    return [
        Window(x, y, min(width, window.right - x), min(height, window.bottom - y), window.downsample)
        for y in range(window.y, window.bottom, height)
        for x in range(window.x, window.right, width)
    ]


@settings(max_examples=120, deadline=None)
@given(st.lists(drawings, min_size=1, max_size=4), st.sampled_from(DOWNSAMPLES), origins, st.data())
def test_tile_is_exactly_the_crop_of_the_whole(
    shapes: list[BaseGeometry], downsample: float, origin: tuple[int, int], data: st.DataObject
) -> None:
    index = ShapeIndex([(place(s, origin, downsample), i + 1) for i, s in enumerate(shapes)], downsample)
    window = Window(origin[0] - 3, origin[1] - 3, SIDE + 6, SIDE + 6, downsample)
    whole = index.burn(window, fill=255)
    width, height = data.draw(st.integers(1, SIDE)), data.draw(st.integers(1, SIDE))
    for tile in tilings(window, width, height):
        assert np.array_equal(index.burn(tile, fill=255), whole[window.slices(tile)])


@settings(max_examples=80, deadline=None)
@given(drawings, st.sampled_from(DOWNSAMPLES), origins)
@example(shapely.Polygon([(5.263504621121893e-272, 0.0), (0.0, 0.0), (1.0, 0.0)]), 1.0, (0, 0))
def test_pixel_belongs_to_the_shape_that_its_centre_lies_in(
    drawing: BaseGeometry, downsample: float, origin: tuple[int, int]
) -> None:
    placed = place(drawing, origin, downsample)
    window = Window(origin[0] - 3, origin[1] - 3, SIDE + 6, SIDE + 6, downsample)
    burnt = ShapeIndex([(placed, 1)], downsample).burn(window)
    assert np.array_equal(burnt, burn_by_the_book(repaired(placed), window))


def repaired(drawing: BaseGeometry) -> MultiPolygon:
    solid = [part for part in shapely.get_parts(drawing) if not repair_area(part).is_empty]
    return repair_area(MultiPolygon(solid) if drawing.geom_type == "MultiPolygon" else drawing)


def burn_by_the_book(area: MultiPolygon, window: Window) -> NDArray[np.uint8]:
    """Even–odd for one centre after another, in whole numbers of 1/256 pixel: slow, and plain to see."""
    edges = []
    for ring in (r for part in area.geoms for r in (part.exterior, *part.interiors)):
        vertices = [(round(x / window.downsample * 256), round(y / window.downsample * 256)) for x, y in ring.coords]
        edges += list(pairwise(vertices))
    out = np.zeros(window.shape, np.uint8)
    for row, column in np.ndindex(*window.shape):
        cx, cy = (window.x + column) * 256 + 128, (window.y + row) * 256 + 128
        for (ax, ay), (bx, by) in edges:
            if (ay <= cy) != (by <= cy):
                # The edge's x at cy is at most cx: multiplied by by − ay, whose sign turns the comparison.
                side = (cx - ax) * (by - ay) - (cy - ay) * (bx - ax)
                out[row, column] ^= side >= 0 if by > ay else side <= 0
    return out


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(ordinates.filter(lambda v: abs(v) < 99), st.integers(0, 6)), min_size=1, max_size=8))
def test_neighbours_neither_overlap_nor_leave_a_gap(steps: list[tuple[float, int]]) -> None:
    # One border from top to bottom, with level pieces on rows of centres; left and right of it one shape each.
    border, y = [(steps[0][0], -2.0)], -2.0
    for x, down in steps:
        y += down / 2
        border.append((x, y))
    border.append((border[-1][0], y + 3))
    left = Polygon([(-50, -2), *border, (-50, y + 3)])
    right = Polygon([(99, -2), *border, (99, y + 3)])
    window = Window(-10, -2, 60, math.floor(y) + 4)
    count = sum(ShapeIndex([(half, 1)]).burn(window) for half in (left, right))
    assert set(np.unique(count[: math.floor(y) + 4])) == {1}


def test_centre_on_left_or_top_edge_is_in_and_on_right_or_bottom_edge_out() -> None:
    burnt = ShapeIndex([(shapely.box(0.5, 0.5, 2.5, 1.5), 1)]).burn(Window(0, 0, 4, 3))
    assert burnt.tolist() == [[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_hole_shows_what_was_drawn_beneath() -> None:
    ring = shapely.box(0, 0, 3, 3).difference(shapely.box(1, 1, 2, 2))
    burnt = ShapeIndex([(shapely.box(0, 0, 3, 3), 7), (ring, 2)]).burn(Window(0, 0, 3, 3))
    assert burnt.tolist() == [[2, 2, 2], [2, 7, 2], [2, 2, 2]]


def test_later_shape_overwrites_earlier() -> None:
    index = ShapeIndex([(shapely.box(0, 0, 3, 1), 1), (shapely.box(1, 0, 2, 1), 2), (shapely.box(2, 0, 3, 1), 0)])
    assert index.burn(Window(0, 0, 4, 1), fill=9).tolist() == [[1, 2, 0, 9]]


def test_crossing_ring_follows_even_odd() -> None:
    bow_tie = Polygon([(0, 0), (4, 4), (4, 0), (0, 4)])
    burnt = ShapeIndex([(bow_tie, 1)]).burn(Window(0, 0, 4, 4))
    assert burnt.tolist() == [[0, 0, 0, 1], [1, 0, 1, 1], [1, 0, 1, 1], [0, 0, 0, 1]]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(2, 60), min_size=5, max_size=40),
    st.floats(0, 1),
    st.sampled_from(DOWNSAMPLES),
    st.floats(0.2, 0.8),
)
def test_area_agrees_with_the_shoelace_formula(radii: list[float], turn: float, downsample: float, hole: float) -> None:
    angles = 2 * math.pi * (np.arange(len(radii)) + turn) / len(radii)
    outer = np.array(radii)[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    star = Polygon(outer, [outer * hole])
    burnt = ShapeIndex([(place(star, (0, 0), downsample), 1)], downsample).burn(Window(-61, -61, 122, 122, downsample))
    # Only pixels within half a diagonal (and the rounding) of a ring can be counted wrongly: the area of that tube.
    reach = math.sqrt(0.5) + 1 / 256
    bound = sum(2 * reach * ring.length + math.pi * reach**2 for ring in (star.exterior, *star.interiors))
    assert abs(int(burnt.sum()) - star.area) <= bound


def test_area_of_large_drawings_is_right_to_a_thousandth() -> None:
    disc = shapely.Point(1000.3, 999.9).buffer(800.7, quad_segs=64)
    burnt = ShapeIndex([(disc, 1)]).burn(Window(0, 0, 2000, 2000))
    assert int(burnt.sum()) == pytest.approx(disc.area, rel=1e-4)


def burn_plainly(area: BaseGeometry, window: Window) -> NDArray[np.uint8]:
    transform = Affine.translation(window.x, window.y)
    burnt: NDArray[np.uint8] = rasterio.features.rasterize(
        [(area, 1)], window.shape, transform=transform, dtype="uint8"
    )
    return burnt


def differs_between_tiles(burn: Callable[[Window], NDArray[np.uint8]]) -> bool:
    window = Window(0, 0, 30, 30)
    whole = burn(window)
    return any(not np.array_equal(burn(tile), whole[window.slices(tile)]) for tile in tilings(window, 7, 5))


def test_one_affine_per_window_depends_on_the_tiling_and_ours_does_not() -> None:
    """The law above can fail: for plain rasterio it does, on scribbles with whole-numbered vertices."""
    generator = np.random.default_rng(8)
    areas = [repair_area(Polygon(generator.integers(0, 30, (10, 2)).astype(float))) for _ in range(40)]
    assert any(differs_between_tiles(partial(burn_plainly, area)) for area in areas)
    assert not any(differs_between_tiles(ShapeIndex([(area, 1)]).burn) for area in areas)


def test_edges_of_a_million_pixels_are_burnt_exactly() -> None:
    """Crossings in floating point shift with the window here (GDAL 3.10: pixels of the tile differ from the whole)."""
    wedge = Polygon([(208186.80078125, -369217.25), (468977.91015625, 679351.23046875), (158186.8, 679351.23046875)])
    index = ShapeIndex([(wedge, 1)])
    whole, tile = Window(299_990, 0, 40, 40), Window(300_010, 15, 20, 20)
    assert np.array_equal(index.burn(tile), index.burn(whole)[whole.slices(tile)])
    assert np.array_equal(index.burn(tile), burn_by_the_book(repair_area(wedge), tile))


def test_many_crossings_are_burnt_in_parts() -> None:
    comb = MultiPolygon([shapely.box(2 * x, 0, 2 * x + 1, 700) for x in range(1100)])
    burnt = ShapeIndex([(comb, 1)]).burn(Window(0, -1, 2200, 702))
    assert burnt[1:-1, ::2].all()
    assert not burnt[:, 1::2].any()
    assert not burnt[[0, -1]].any()


def test_shape_larger_than_any_slide_is_cut_and_still_covers() -> None:
    index = ShapeIndex([(shapely.box(-1e12, -1e12, 1e12, 10.5), 3)])
    assert index.burn(Window(100_000, 8, 2, 4)).tolist() == [[3, 3], [3, 3], [0, 0], [0, 0]]


def test_what_has_no_area_covers_nothing() -> None:
    spike = Polygon([(0, 0), (5, 5), (0, 0)])
    index = ShapeIndex([(spike, 1), (LineString([(0, 0), (9, 9)]), 1), (Polygon(), 1), (shapely.Point(1, 1), 1)])
    assert len(index) == 0
    assert not index.burn(Window(0, 0, 5, 5)).any()


def test_part_without_area_does_not_spoil_the_others() -> None:
    parts = MultiPolygon([Polygon([(0, 1), (0, 1), (0, 1)]), shapely.box(0, 0, 2, 1)])
    assert ShapeIndex([(parts, 1)]).burn(Window(0, 0, 3, 1)).tolist() == [[1, 1, 0]]


def test_no_shapes_leave_the_fill() -> None:
    assert ShapeIndex([]).burn(Window(0, 0, 2, 1), fill=255).tolist() == [[255, 255]]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_coordinates_that_are_not_finite_are_refused(bad: float) -> None:
    broken = shapely.transform(shapely.box(0, 0, 1, 1), lambda v: np.where(np.arange(len(v))[:, None] == 1, bad, v))
    with pytest.raises(InvalidGeometryError, match="shape 1"):
        ShapeIndex([(shapely.box(0, 0, 1, 1), 1), (broken, 1)])


def test_label_beyond_a_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="256"):
        ShapeIndex([(shapely.box(0, 0, 1, 1), 256)])


def test_window_of_another_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="downsample"):
        ShapeIndex([], 2.0).burn(Window(0, 0, 1, 1, 4.0))


def test_tiles_of_real_drawings_are_crops_of_the_whole(shared_data: Path) -> None:
    """Outlines of a pathologist, QuPath 0.5: 0.01 px coordinates, hundreds of vertices each."""
    path = shared_data / "qupath" / "qupath_to_lmd" / "liposarcoma_HE.geojson"
    outlines = [shape(feature["geometry"]) for feature in json.loads(path.read_text())["features"]]
    areas = [outline for outline in outlines if outline.geom_type == "Polygon"]
    index = ShapeIndex([(area, 1 + i) for i, area in enumerate(areas)], 16.0)
    left, top, right, bottom = (math.floor(v / 16) for v in shapely.total_bounds(np.array(areas)))
    window = Window(left - 5, top - 5, right - left + 10, bottom - top + 10, 16.0)
    whole = index.burn(window)
    assert set(np.unique(whole)) == set(range(len(areas) + 1))
    for tile in window.tiles(97):
        assert np.array_equal(index.burn(tile), whole[window.slices(tile)])
