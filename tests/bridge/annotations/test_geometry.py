"""Repair of drawn outlines: the even-odd area, exactly, and what had to be repaired for it."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely import box
from shapely.geometry import GeometryCollection, LineString, MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from bridge.annotations.geometry import Defect, repair, repair_area, repair_areas
from bridge.errors import InvalidGeometryError

BOWTIE = Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])
SQUARE = box(0, 0, 100, 100)
CORNERS = [(0, 0), (100, 0), (100, 100), (0, 100)]
few = settings(max_examples=60, deadline=None)

Ring = list[tuple[int, int]]
Part = tuple[Ring, list[Ring]]


@st.composite
def rings(draw: st.DrawFn) -> Ring:
    """Scribbles on so coarse a grid that edges cross, touch, coincide and collapse."""
    side = draw(st.sampled_from([2, 4, 20]))
    return draw(st.lists(st.tuples(st.integers(0, side), st.integers(0, side)), min_size=3, max_size=9))


parts = st.lists(st.tuples(rings(), st.lists(rings(), max_size=2)), min_size=1, max_size=2)


def even_odd_area(drawn: list[Part]) -> Fraction:
    """Area of what any part covers, without its holes: exact, by slabs between the heights of all crossings."""
    numbered = [(shell, holes) for shell, holes in drawn]
    edges = [
        (part, place, a, b)
        for part, (shell, holes) in enumerate(numbered)
        for place, ring in enumerate((shell, *holes))
        for a, b in pairwise([*ring, ring[0]])
        if a[1] != b[1]
    ]
    heights = {Fraction(corner[1]) for *_, a, b in edges for corner in (a, b)}
    heights |= {y for k, one in enumerate(edges) for other in edges[:k] for y in _meeting(one[2:], other[2:])}
    return sum((_slab(edges, low, high) for low, high in pairwise(sorted(heights))), Fraction(0))


def _meeting(one: tuple, other: tuple) -> list[Fraction]:
    (a, b), (c, d) = one, other
    turn = (b[0] - a[0]) * (d[1] - c[1]) - (b[1] - a[1]) * (d[0] - c[0])
    if turn == 0:
        return []
    share = Fraction((c[0] - a[0]) * (d[1] - c[1]) - (c[1] - a[1]) * (d[0] - c[0]), turn)
    return [a[1] + share * (b[1] - a[1])] if 0 <= share <= 1 else []


def _slab(edges: list[tuple], low: Fraction, high: Fraction) -> Fraction:
    middle = (low + high) / 2
    met = sorted(
        (a[0] + (middle - a[1]) * (b[0] - a[0]) / (b[1] - a[1]), part, place)
        for part, place, a, b in edges
        if (a[1] > middle) != (b[1] > middle)
    )
    inside: set[tuple[int, int]] = set()
    width = Fraction(0)
    for (x, part, place), (following, *_) in pairwise(met):
        inside ^= {(part, place)}
        in_shells, in_holes = ({p for p, k in inside if (k > 0) is hole} for hole in (False, True))
        width += following - x if in_shells - in_holes else 0
    return width * (high - low)


@settings(max_examples=150, deadline=None)
@given(parts, st.sampled_from([(1, 0), (1, 10_000_000), (0.01, 0)]))
def test_area_is_the_even_odd_area_of_what_was_drawn(drawn: list[Part], frame: tuple[float, int]) -> None:
    assume(all(even_odd_area([(ring, [])]) for shell, holes in drawn for ring in (shell, *holes)))
    zoom, shift = frame
    shape = shapely.transform(MultiPolygon(drawn), lambda xy: xy * zoom + shift)
    area = repair_area(shape)
    assert area.is_valid
    assert area.area == pytest.approx(float(even_odd_area(drawn)) * zoom**2, abs=1e-6 if shift else 1e-9 * zoom)
    assert repair_area(area) == area
    assert repair(shape).drawn is shape


@few
@given(parts, st.randoms(use_true_random=False))
def test_area_does_not_depend_on_the_order_of_what_was_drawn(drawn: list[Part], chance: st.Random) -> None:
    turned = [(shell[2:] + shell[:2], [hole[::-1] for hole in reversed(holes)]) for shell, holes in drawn]
    chance.shuffle(turned)
    first, second = repair_area(MultiPolygon(drawn)), repair_area(MultiPolygon(turned))
    assert first.symmetric_difference(second).area <= 1e-9


@pytest.mark.parametrize("scale", [0.01, 1e7])
def test_edge_drawn_again_between_two_faces_keeps_the_rule(scale: float) -> None:
    # A square, and from its corner a second one inside that runs along two of its edges.
    ring = np.array([(0, 0), (4, 0), (4, 4), (0, 4), (0, 0), (2, 0), (2, 2), (0, 2)]) * scale
    assert repair_area(Polygon(ring)).area == pytest.approx(12 * scale**2)


def test_ring_drawn_wholly_over_itself_counts_once() -> None:
    twice = repair(Polygon([*CORNERS, *CORNERS]))
    there_and_back = repair(Polygon([*CORNERS, CORNERS[0], *CORNERS[::-1]]))
    assert twice.area_px2 == there_and_back.area_px2 == 10_000
    assert Defect.DUPLICATE_RING in twice.defects and Defect.DUPLICATE_RING in there_and_back.defects


@pytest.mark.parametrize(
    ("drawn", "defects", "area"),
    [
        (SQUARE, {}, 10_000),
        (BOWTIE, {Defect.SELF_CROSSING: 1}, 50),
        (Polygon([(0, 0), (10, 0), (10, 10), (10, 50), (10, 10), (0, 10)]), {Defect.SPIKE: 1}, 100),
        (Polygon([(0, 0), (5, 0), (5, -7), (5, 0), (10, 0), (10, 10), (5, 10), (5, 3), (5, 10), (0, 10)]),
         {Defect.SPIKE: 2}, 100),
        (Polygon([(0, 0), (5, 5), (0, 0)]), {Defect.COLLAPSED_RING: 1}, 0),
        (Polygon([(3, 3)] * 4), {Defect.COLLAPSED_RING: 1}, 0),
        (MultiPolygon([box(0, 0, 5, 5), box(0, 0, 5, 5)]), {Defect.DUPLICATE_RING: 1}, 25),
        (MultiPolygon([box(0, 0, 5, 5), box(1, 1, 2, 2)]), {Defect.MISPLACED_RING: 1}, 25),
        (MultiPolygon([box(0, 0, 4, 4), box(2, 2, 6, 6)]), {Defect.SELF_CROSSING: 2}, 28),
        (Polygon(CORNERS, [[(0, 20), (30, 20), (30, 40), (0, 40)]]), {Defect.SELF_CROSSING: 1}, 9400),
    ],
    ids=["sound", "bow-tie", "spike", "spikes", "line", "point", "twins", "nested", "overlap", "hole at the edge"],
)  # fmt: skip
def test_repair_says_what_it_met_and_keeps_the_drawn_outline(
    drawn: BaseGeometry, defects: dict[Defect, int], area: float
) -> None:
    repaired = repair(drawn)
    assert repaired.drawn is drawn
    assert (repaired.defects, repaired.area_px2, repaired.drawn_px2) == (defects, area, area)


def test_spiral_keeps_its_turns_apart() -> None:
    turn = np.linspace(0, 6 * np.pi, 400)
    spiral = np.column_stack([np.cos(turn), np.sin(turn)]) * (1 + turn)[:, None]
    drawn = Polygon(spiral)
    assert not drawn.is_valid or drawn.area > 0
    assert repair_area(drawn).area == pytest.approx(_sampled(spiral), rel=0.02)


def _sampled(ring: np.ndarray) -> float:
    """Even-odd area by counting the centres of small pixels."""
    step = 0.1
    x, y = np.meshgrid(
        *(np.arange(low + step / 2, high, step) for low, high in zip(ring.min(0), ring.max(0), strict=True))
    )
    inside = np.zeros(x.shape, dtype=bool)
    for (x1, y1), (x2, y2) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if y1 != y2:
            inside ^= ((y1 > y) != (y2 > y)) & (x1 + (y - y1) * (x2 - x1) / (y2 - y1) > x)
    return float(inside.sum()) * step**2


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_coordinates_that_are_not_finite_are_refused(value: float) -> None:
    with np.errstate(invalid="ignore"):
        drawn = Polygon([(0, 0), (value, 0), (5, 5), (0, 5)])
    for work in (repair, repair_area, lambda shape: repair_areas([SQUARE, shape])):
        with pytest.raises(InvalidGeometryError, match="finite"):
            work(drawn)


def test_overlapping_areas_of_a_collection_become_one() -> None:
    drawn = GeometryCollection([box(0, 0, 2, 2), box(1, 0, 3, 2)])
    assert drawn.is_valid
    assert repair_area(drawn).is_valid and repair_area(drawn).area == 6


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


@pytest.mark.parametrize("sides", [199, 200, 201])
def test_the_largest_star_of_few_sides_is_repaired(sides: int) -> None:
    angles = np.arange(sides) * 2 * np.pi * (sides // 2) / sides
    star = Polygon(1000 * np.stack([np.cos(angles), np.sin(angles)], axis=1))
    assert repair_area(star).is_valid, "every side crosses nearly every other"


def test_a_tangle_that_would_take_minutes_is_refused_at_once() -> None:
    ring = np.random.default_rng(0).uniform(0, 1000, (3000, 2))
    with pytest.raises(InvalidGeometryError, match="crosses itself some"):
        repair_area(Polygon(ring))
    zigzag = np.array([(i, 50 * (i % 2)) for i in range(5000)] + [(5000, 25.3), (0, 25.7)])
    assert repair_area(Polygon(zigzag)).is_valid, "5,000 crossings are drawn by hand now and then"
