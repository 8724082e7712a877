"""Whether two outlines are one drawing."""

from __future__ import annotations

import numpy as np
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely import box
from shapely.geometry import LineString, MultiPoint, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from bridge.annotations.outlines import are_same_outlines, as_array, is_same_outline, match_outlines, near_pairs

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


@few
@given(st.lists(blobs(), min_size=1, max_size=6), st.data())
def test_many_at_once_are_compared_as_one_by_one(shapes: list[Polygon], data: st.DataObject) -> None:
    others = []
    for shape in shapes:
        by = data.draw(st.tuples(st.floats(-1.2, 1.2), st.floats(-1.2, 1.2)))
        start, is_reversed = data.draw(st.integers(0, 3)), data.draw(st.booleans())
        others.append(_restarted(_moved(shape, by), start, is_reversed=is_reversed))
    mixed, others = [*shapes, Polygon(), LineString([(0, 0), (5, 5)])], [*others, Polygon(), Polygon()]
    expected = [is_same_outline(a, b) for a, b in zip(mixed, others, strict=True)]
    assert are_same_outlines(mixed, others).tolist() == expected


def test_of_copies_each_is_matched_once() -> None:
    copies, others = as_array([SQUARE] * 3), as_array([_moved(SQUARE, (0.5, 0))] * 2 + [_moved(SQUARE, (0, 40))])
    pairs = near_pairs(copies, others)
    assert len(pairs) == 6
    assert match_outlines(copies, others, pairs) == [(0, 0), (1, 1)]
    assert match_outlines(copies, others, []) == []
