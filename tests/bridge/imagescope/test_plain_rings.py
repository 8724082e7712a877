"""Plain rings made into regions all at once are the regions made one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, MultiPolygon, Point, Polygon, box

from bridge.annotations import Annotation, Shape
from bridge.imagescope import plain_rings
from bridge.imagescope.emit import vertex_lines
from bridge.imagescope.plain_regions import TOO_FAR, TOO_SMALL, outlines_of
from bridge.imagescope.plain_rings import all_outlines

_numbers = st.integers(-(10**6), 10**6).map(lambda cents: cents / 100) | st.floats(-5e4, 5e4)
_rings = st.lists(st.tuples(_numbers, _numbers), min_size=3, max_size=20).map(Polygon)
_geometries = st.one_of(
    _rings,
    _rings,
    st.sampled_from(
        [
            Polygon(),
            Polygon([(0, 0), (9, 9), (0, 9), (9, 0)]),  # equal areas both ways round
            Polygon([(0, 0), (0.001, 0), (0, 0.001)]),
            Polygon([(0, 0), (5, 5), (9, 9)]),
            Polygon([(1e9, 0), (1e9, 5), (0, 5)]),
            box(0, 0, 9, 9).difference(box(2, 2, 4, 4)),
            MultiPolygon([box(0, 0, 9, 9), box(20, 0, 29, 9)]),
            Point(3, 4),
            LineString([(0, 0), (3, 4)]),
        ]
    ),
)
_drawings = st.builds(Annotation, st.just("x"), _geometries, st.just("Tumor"), st.sampled_from(Shape))


@settings(max_examples=80, deadline=None)
@given(st.lists(_drawings, max_size=8))
def test_all_at_once_is_one_by_one(drawn: list[Annotation]) -> None:
    for annotation, found in zip(drawn, all_outlines(drawn), strict=True):
        wanted = outlines_of(annotation)
        assert isinstance(found, str) == isinstance(wanted, str)
        if isinstance(found, str) or isinstance(wanted, str):
            assert found == wanted
            continue
        for outline, alone in zip(found, wanted, strict=True):
            assert outline.kind == alone.kind and len(outline.holes) == len(alone.holes)
            np.testing.assert_array_equal(outline.vertices, alone.vertices)
            assert math.isclose(outline.length, alone.length, rel_tol=1e-12)
            assert math.isclose(outline.area, alone.area, rel_tol=1e-8)


def test_more_rings_than_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_rings, "_AT_ONCE", 3)
    drawn = [Annotation(str(i), box(i, 0, i + 2, 2), "Tumor", Shape.POLYGON) for i in range(8)]
    assert [found[0].vertices.min(axis=0).tolist() for found in all_outlines(drawn)] == [[i, 0] for i in range(8)]


def test_reasons_are_those_of_one_by_one() -> None:
    far, small = Polygon([(2e8, 0), (2e8, 5), (0, 5)]), Polygon([(0, 0), (0.001, 0), (0, 0.001)])
    drawn = [Annotation("x", geometry, "Tumor", Shape.POLYGON) for geometry in (far, small)]
    assert all_outlines(drawn) == [TOO_FAR, TOO_SMALL] and all_outlines([]) == []


@given(st.lists(st.tuples(*[st.integers(-(10**10), 10**10)] * 2), min_size=1, max_size=9), st.sampled_from([1, 100]))
@settings(max_examples=80, deadline=None)
def test_vertices_are_written_as_python_writes_numbers(pairs: list[tuple[int, int]], parts: int) -> None:
    vertices = np.array(pairs) if parts == 1 else np.array(pairs) / parts
    texts = [[repr(n).removesuffix(".0") for n in row] for row in vertices.tolist()]
    wanted = "\r\n".join(f'\t\t\t\t\t<Vertex X="{x}" Y="{y}" Z="0"/>' for x, y in texts)
    assert vertex_lines(vertices, "\r\n") == wanted
