"""Repair of drawn outlines, and whether two of them are one drawing."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely import box
from shapely.geometry import (
    GeometryCollection,
    LineString,
    MultiPoint,
    MultiPolygon,
    Point,
    Polygon,
)
from shapely.geometry.base import BaseGeometry

from bridge.annotations.geometry import is_same_outline, near_pairs, repair_area, repair_areas

BOWTIE = Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])
SQUARE = box(0, 0, 100, 100)
few = settings(max_examples=60, deadline=None)


@st.composite
def blobs(draw: st.DrawFn) -> Polygon:
    """A star-shaped outline of 8 … 600 px, now and then with a hole."""
    radii = np.array(draw(st.lists(st.floats(8, 300), min_size=4, max_size=24)))
    angles = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    turn = np.c_[np.cos(angles), np.sin(angles)] * radii[:, None]
    centre = np.array([draw(st.floats(-500, 90_000)), draw(st.floats(-500, 90_000))])
    holes = [turn[::-1] * 0.4 + centre] if draw(st.booleans()) else []
    return Polygon(turn + centre, holes)


def _moved(shape: BaseGeometry, by: tuple[float, float]) -> BaseGeometry:
    return shapely.transform(shape, lambda xy: xy + np.array(by))


def _restarted(shape: Polygon, start: int, *, is_reversed: bool) -> Polygon:
    def ring(line: BaseGeometry) -> np.ndarray:
        xy = np.roll(shapely.get_coordinates(line)[:-1], -start, axis=0)
        return xy[::-1] if is_reversed else xy

    return Polygon(ring(shape.exterior), [ring(hole) for hole in shape.interiors])


def _distance(first: Polygon, second: Polygon) -> float:
    """Hausdorff distance of the lines, by brute force."""
    lines = (shapely.union_all([p.exterior, *p.interiors]) for p in (first, second))
    return float(shapely.hausdorff_distance(*lines, densify=0.01))


def test_a_valid_polygon_is_its_own_area() -> None:
    assert repair_area(SQUARE) == MultiPolygon([SQUARE])


def test_crossing_rings_follow_the_even_odd_rule() -> None:
    assert repair_area(BOWTIE).area == 50
    star = Polygon([(np.sin(a), np.cos(a)) for a in np.arange(5) * 4 * np.pi / 5])  # wound twice: its middle is out
    assert repair_area(star).is_valid
    assert not repair_area(star).contains(Point(0, 0))


@pytest.mark.parametrize(
    "nothing",
    [
        Point(1, 1),
        LineString([(0, 0), (5, 5)]),
        Polygon(),
        Polygon([(0, 0), (5, 5), (0, 0)]),
        Polygon([(0, 0), (9, 0), (4, 0)]),
        GeometryCollection([Point(0, 0), LineString([(0, 0), (1, 1)])]),
    ],
    ids=lambda g: g.geom_type,
)
def test_what_covers_nothing_has_an_empty_area(nothing: BaseGeometry) -> None:
    assert repair_area(nothing).is_empty


def test_spikes_are_dropped() -> None:
    spiked = Polygon([(0, 0), (10, 0), (10, 10), (10, 50), (10, 10), (0, 10)])
    assert repair_area(spiked).equals(box(0, 0, 10, 10))


def test_areas_of_a_collection_are_kept() -> None:
    mixed = GeometryCollection([box(0, 0, 1, 1), Point(9, 9), MultiPolygon([box(2, 2, 3, 3), box(5, 5, 6, 6)])])
    assert repair_area(mixed).area == 3


@few
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=3, max_size=12))
def test_scribbles_become_valid_areas(vertices: list[tuple[int, int]]) -> None:
    area = repair_area(Polygon(vertices))
    assert area.is_valid
    assert repair_area(area).equals(area)
    (same,) = repair_areas([Polygon(vertices)])
    assert same.equals(area)


def test_repairing_many_leaves_sound_ones_alone() -> None:
    hull, crossed, line = repair_areas([SQUARE, BOWTIE, LineString([(0, 0), (1, 1)])])
    assert hull is SQUARE
    assert crossed.area == 50
    assert line.is_empty
    assert len(repair_areas([])) == 0


@few
@given(blobs(), st.integers(0, 30), st.booleans())
def test_ring_start_and_direction_do_not_count(shape: Polygon, start: int, is_reversed: bool) -> None:
    assert is_same_outline(shape, _restarted(shape, start, is_reversed=is_reversed))


@few
@given(blobs(), st.booleans())
def test_rounding_to_float32_hundredths_or_whole_pixels_does_not_count(shape: Polygon, is_reversed: bool) -> None:
    for rounded in (
        shapely.transform(shape, lambda xy: xy.astype(np.float32).astype(float)),
        shapely.transform(shape, lambda xy: xy.round(2)),
        shapely.transform(shape, np.round),
    ):
        assert is_same_outline(shape, _restarted(rounded, 3, is_reversed=is_reversed))


@few
@given(blobs(), st.floats(0, 2 * np.pi), st.floats(0, 0.999))
def test_a_shift_within_the_tolerance_does_not_count(shape: Polygon, angle: float, length: float) -> None:
    assert is_same_outline(shape, _moved(shape, (length * np.cos(angle), length * np.sin(angle))))


@few
@given(blobs(), st.floats(0, 2 * np.pi), st.floats(1.002, 400))
def test_a_shift_beyond_the_tolerance_counts(shape: Polygon, angle: float, length: float) -> None:
    assert not is_same_outline(shape, _moved(shape, (length * np.cos(angle), length * np.sin(angle))))


def test_a_shift_of_exactly_one_pixel_is_within() -> None:
    for x in (0.1, 33.3, 65_432.1):
        shape = _moved(SQUARE, (x, x))
        assert is_same_outline(shape, _moved(shape, (1, 0)))
        assert not is_same_outline(shape, _moved(shape, (1, 0)), tolerance_px=0.5)


@few
@given(blobs(), st.data())
def test_one_vertex_moved_is_told_by_the_distance_of_the_lines(shape: Polygon, data: st.DataObject) -> None:
    xy = shapely.get_coordinates(shape.exterior)[:-1].copy()
    place = data.draw(st.integers(0, len(xy) - 1))
    xy[place] += data.draw(st.tuples(st.floats(-40, 40), st.floats(-40, 40)))
    edited = Polygon(xy, shape.interiors)
    distance = _distance(shape, edited)
    assume(not 0.97 < distance < 1.03)
    assert is_same_outline(shape, edited) == (distance < 1)


def test_vertices_that_change_nothing_do_not_count() -> None:
    dense = shapely.segmentize(SQUARE, 3)
    assert is_same_outline(SQUARE, dense) and is_same_outline(dense, SQUARE)
    assert is_same_outline(SQUARE, Polygon([(0, 0), (0, 0), (100, 0), (100, 100), (100, 100), (0, 100)]))


def test_the_same_vertices_in_another_order_are_another_drawing() -> None:
    # Every vertex of one lies on the other: only the lines between them differ.
    assert not is_same_outline(BOWTIE, box(0, 0, 10, 10))


def test_a_line_that_strays_between_vertices_counts() -> None:
    comb = Polygon([(0, 0), (40, 0), (40, 20), (30, 20), (30, 2), (10, 2), (10, 20), (0, 20)])
    filled = Polygon([(0, 0), (40, 0), (40, 20), (30, 20), (10, 20), (10, 2), (30, 2), (30, 20), (0, 20)])
    assert not is_same_outline(comb, filled)


def test_holes_count() -> None:
    hole = box(40, 40, 60, 60).exterior.coords
    ring = Polygon(SQUARE.exterior.coords, [hole])
    shifted = Polygon(SQUARE.exterior.coords, [box(43, 40, 63, 60).exterior.coords])
    jittered = Polygon(SQUARE.exterior.coords, [box(40.4, 39.8, 60.1, 60.4).exterior.coords])
    assert not is_same_outline(ring, SQUARE)
    assert not is_same_outline(ring, shifted)
    assert is_same_outline(ring, jittered)


def test_order_of_holes_and_parts_does_not_count() -> None:
    holes = [box(x, 10, x + 5, 20).exterior.coords for x in (10, 30, 60)]
    assert is_same_outline(Polygon(SQUARE.exterior.coords, holes), Polygon(SQUARE.exterior.coords, holes[::-1]))
    parts = [SQUARE, _moved(SQUARE, (500, 0))]
    assert is_same_outline(MultiPolygon(parts), MultiPolygon(parts[::-1]))
    assert is_same_outline(MultiPolygon([SQUARE]), SQUARE)
    assert not is_same_outline(MultiPolygon(parts), MultiPolygon([SQUARE, _moved(SQUARE, (500, 3))]))


def test_a_hole_that_became_a_part_counts() -> None:
    inner = box(20, 20, 80, 80)
    assert not is_same_outline(Polygon(SQUARE.exterior.coords, [inner.exterior.coords]), MultiPolygon([SQUARE, inner]))


def test_other_kinds_of_geometry_are_compared_too() -> None:
    line = LineString([(0, 0), (10, 0), (10, 10)])
    assert is_same_outline(line, LineString([(10, 10), (10.3, 0), (0, 0)]))
    assert not is_same_outline(line, LineString([(0, 0), (0, 10), (10, 10)]))
    assert not is_same_outline(SQUARE.exterior, SQUARE)
    assert is_same_outline(MultiPoint([(0, 0), (5, 5)]), MultiPoint([(5, 5), (0.5, 0)]))
    assert not is_same_outline(MultiPoint([(0, 0), (5, 5), (5, 0)]), MultiPoint([(0, 0), (5, 5), (0, 5)]))


def test_nothing_is_the_same_as_nothing_only() -> None:
    assert is_same_outline(Polygon(), MultiPolygon())
    assert not is_same_outline(Polygon(), SQUARE)
    assert not is_same_outline(SQUARE, Polygon())


def test_crossing_outlines_are_compared_as_drawn() -> None:
    assert is_same_outline(BOWTIE, _restarted(BOWTIE, 2, is_reversed=True))
    assert not is_same_outline(BOWTIE, _moved(BOWTIE, (0, 2)))


@few
@given(st.lists(blobs(), min_size=1, max_size=6), st.data())
def test_near_pairs_miss_no_same_outline(shapes: list[Polygon], data: st.DataObject) -> None:
    shifts = data.draw(
        st.lists(st.tuples(st.floats(-1.5, 1.5), st.floats(-1.5, 1.5)), min_size=len(shapes), max_size=len(shapes))
    )
    others = [_moved(shape, by) for shape, by in zip(shapes, shifts, strict=True)]
    pairs = near_pairs(np.array(shapes, dtype=object), np.array([*others, Polygon()], dtype=object))
    same = {(i, j) for i, a in enumerate(shapes) for j, b in enumerate(others) if is_same_outline(a, b)}
    assert same <= set(pairs)
    assert pairs == sorted(pairs)
    assert all(j < len(others) for _, j in pairs)


def test_hole_that_shares_an_edge_with_its_shell_stays_a_hole() -> None:
    shell = [(0, 0), (100, 0), (100, 100), (0, 100)]
    hole = [(0, 20), (30, 20), (30, 40), (0, 40)]
    drawn = shapely.Polygon(shell, [hole])
    assert not drawn.is_valid
    assert repair_area(drawn).area == 100 * 100 - 30 * 20


def test_collapsed_part_is_dropped_and_the_others_stay() -> None:
    drawn = shapely.MultiPolygon([shapely.Polygon([(0, 1), (0, 1), (0, 1)]), shapely.box(5, 5, 7, 8)])
    assert repair_area(drawn).equals(shapely.box(5, 5, 7, 8))


def test_pentagram_is_even_odd() -> None:
    turns = np.arange(5) * 2 * 2 * np.pi / 5
    drawn = shapely.Polygon(np.column_stack([np.cos(turns), np.sin(turns)]))
    assert not repair_area(drawn).contains(shapely.Point(0, 0))
    assert repair_area(drawn).contains(shapely.Point(0.8, 0))
