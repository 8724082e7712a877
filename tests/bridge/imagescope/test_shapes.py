from __future__ import annotations

import math
import time

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from bridge.annotations import Shape, repair_area
from bridge.imagescope.document import parse_document
from bridge.imagescope.elements import Element, RegionElement
from bridge.imagescope.shapes import draw, ellipse_ring


@pytest.fixture
def regions(region_xml, file_xml):
    """Region elements from vertices and attributes."""

    def build(*drawn: tuple[list[tuple[object, object]], dict[str, str]]) -> tuple[RegionElement, ...]:
        texts = [region_xml(vertices, **attributes) for vertices, attributes in drawn]
        return parse_document(file_xml({"layer": texts})).layers[0].regions

    return build


SQUARE = [(0, 0), (8, 0), (8, 8), (0, 8)]
LINE = [(0, 0), (4, 6)]
MANY = [(0, 0), (8, 0), (9, 4), (8, 8), (0, 8), (-1, 4)]


@pytest.mark.parametrize(
    ("vertices", "attributes", "shape", "verbatim"),
    [
        (MANY, {"Type": "0"}, Shape.POLYGON, None),
        (MANY, {}, Shape.POLYGON, None),
        (SQUARE, {"Type": "0"}, Shape.POLYGON, None),
        (SQUARE, {"Type": "1"}, Shape.RECTANGLE, None),
        ([*SQUARE, SQUARE[0]], {"Type": "1"}, Shape.RECTANGLE, None),
        (MANY, {"Type": "1"}, Shape.POLYGON, None),  # so in a real file (TCGA-EJ-5519): the Type lies, the outline not
        (LINE, {"Type": "2"}, Shape.ELLIPSE, None),
        (SQUARE, {"Type": "2"}, Shape.NONE, "ellipse without a box"),
        (LINE, {"Type": "3"}, Shape.ARROW, "arrow"),
        (LINE, {"Type": "4"}, Shape.RULER, "ruler"),
        (SQUARE, {"Type": "5"}, Shape.NONE, "type 5"),
        (SQUARE, {"Type": "polygon"}, Shape.NONE, "type polygon"),
        (SQUARE, {"Type": "1", "GeoShape": "Area"}, Shape.POLYGON, None),
        (SQUARE, {"Type": "2", "GeoShape": "Rectangle"}, Shape.RECTANGLE, None),
        ([(5, 0), (10, 5), (5, 10), (0, 5)], {"Type": "0", "GeoShape": "Ellipse"}, Shape.ELLIPSE, None),
        (SQUARE, {"Type": "0", "GeoShape": "Points"}, Shape.POINTS, "points"),
        (SQUARE, {"Type": "0", "GeoShape": "Star"}, Shape.NONE, "GeoShape star"),
        ([], {"Type": "0"}, Shape.NONE, "too few vertices"),
        ([(1, 1)], {"Type": "0"}, Shape.NONE, "too few vertices"),
        (LINE, {"Type": "0"}, Shape.NONE, "too few vertices"),
        ([*LINE, LINE[0]], {"Type": "0"}, Shape.NONE, "too few vertices"),
        (LINE, {"Type": "1"}, Shape.NONE, "too few vertices"),
        ([(0, 0), (5, 5), (9, 9), (5, 5)], {"Type": "0"}, Shape.NONE, "no area"),
        ([(3, 3)] * 5, {"Type": "0"}, Shape.NONE, "no area"),
        ([(3, 3), (3, 9)], {"Type": "2"}, Shape.NONE, "no area"),
        ([(0, 0), ("nan", 1), (2, 2)], {"Type": "0"}, Shape.NONE, "coordinates"),
        ([(0, 0), ("inf", 1), (2, 2)], {"Type": "3"}, Shape.NONE, "coordinates"),
        ([(0, 0), ("1e300", 1), (2, 2)], {"Type": "0"}, Shape.NONE, "coordinates"),
    ],
)
def test_type_is_trusted_as_far_as_the_vertices_bear_it_out(regions, vertices, attributes, shape, verbatim) -> None:
    (drawing,) = draw(regions((vertices, attributes)))
    assert (drawing.shape, drawing.verbatim) == (shape, verbatim)
    assert drawing.shape.is_area == (verbatim is None)


def test_crossing_outline_is_kept_as_drawn(regions) -> None:
    bow_tie = [(0, 0), (10, 10), (10, 0), (0, 10)]
    (drawing,) = draw(regions((bow_tie, {"Type": "0"})))
    assert not drawing.is_valid
    assert shapely.get_coordinates(drawing.geometry).tolist() == [list(p) for p in [*bow_tie, bow_tie[0]]]
    assert repair_area(drawing.geometry).area == 50


def test_loose_vertices_come_as_point_and_path(regions) -> None:
    empty, point, arrow = draw(regions(([], {}), ([(1, 2)], {}), (LINE, {"Type": "3"})))
    assert empty.geometry.is_empty
    assert point.geometry.wkt == "POINT (1 2)"
    assert arrow.geometry.wkt == "LINESTRING (0 0, 4 6)"


def test_order_is_the_files_whatever_the_kinds(regions) -> None:
    drawings = draw(regions((LINE, {"Type": "4"}), (SQUARE, {}), ([], {}), (MANY, {})))
    assert [drawing.shape for drawing in drawings] == [Shape.RULER, Shape.POLYGON, Shape.NONE, Shape.POLYGON]
    assert [drawing.geometry.area for drawing in drawings] == [0, 64, 0, 72]


def test_nothing_draws_nothing() -> None:
    assert draw(()) == []


@given(st.tuples(*[st.integers(-5000, 5000)] * 2), st.tuples(*[st.integers(1, 60_000)] * 2))
def test_ellipse_fills_its_box(corner: tuple[int, int], size: tuple[int, int]) -> None:
    low = np.array(corner, float)
    ring = ellipse_ring(np.array([low + size, low]))
    (width, height), true_area = size, math.pi / 4 * size[0] * size[1]
    polygon = shapely.Polygon(ring)
    np.testing.assert_allclose(polygon.bounds, [*low, *(low + size)], atol=1e-6)
    assert true_area * 0.97 < polygon.area < true_area
    # The polygon's sides stay within 0.1 px of the curve (or what 32 corners give on the smallest).
    middle = (ring + np.roll(ring, 1, axis=0)) / 2 - (low + np.array(size) / 2)
    inside = 1 - np.hypot(middle[:, 0] / width, middle[:, 1] / height) * 2
    assert inside.max() * max(size) / 2 < max(0.1001, max(size) / 2 * 1.3e-6 * 4)


@given(st.lists(st.tuples(*[st.integers(0, 6)] * 2), min_size=3, max_size=12))
def test_outline_has_an_area_if_and_only_if_its_repair_has(points: list[tuple[int, int]]) -> None:
    """On a small grid: spikes, doubled sides, crossings, loops around twice."""
    region = RegionElement(Element(0, 0, 0, 0), {"Type": "0"}, np.array(points, float), ())
    (drawing,) = draw([region])
    closed = shapely.Polygon(points)
    assert drawing.shape.is_area == (repair_area(closed).area > 0)
    assert drawing.is_valid == (closed.is_valid or not drawing.shape.is_area)


def test_outline_whose_sides_all_cross_is_read_at_once(regions) -> None:
    """Its repair would take a minute; whoever rasterizes it asks for that."""
    scribble = np.random.default_rng(0).integers(0, 100_000, (3000, 2)).tolist()
    started = time.process_time()
    (drawing,) = draw(regions((scribble, {"Type": "0"})))
    assert (drawing.shape, drawing.is_valid) == (Shape.POLYGON, False)
    assert time.process_time() - started < 1
