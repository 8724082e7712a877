from __future__ import annotations

import math

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiPoint, Point, Polygon, box

from bridge.annotations import Plane, Shape
from bridge.qupath.java_values import Allowance
from bridge.qupath.rois import RoiReader

_float32 = st.floats(-1e6, 1e6, width=32)
_points = st.lists(st.tuples(_float32, _float32), min_size=3, max_size=12)


def _read(*rois):
    reader = RoiReader(Allowance(1_000_000))
    numbers = [reader.add(roi) for roi in rois]
    geometries = reader.geometries()
    return [(geometries[i], reader.shapes[i], reader.planes[i]) for i in numbers]


@settings(max_examples=100, deadline=None)
@given(_points)
def test_vertices_are_kept_exactly(new_lab, points) -> None:
    lab = new_lab()
    kinds = [lab.vertices_roi(kind, points) for kind in ("Polygon", "Polyline", "Points")]
    (polygon, _, _), (line, _, _), (several, _, _) = _read(*kinds)
    closed = points if points[0] == points[-1] and len(points) > 3 else [*points, points[0]]
    assert shapely.get_coordinates(polygon).tolist() == [list(p) for p in closed]
    assert list(line.coords) == points
    assert [point.coords[0] for point in several.geoms] == points


@pytest.mark.parametrize(
    ("make", "shape", "wanted"),
    [
        (lambda lab: lab.box_roi("Rectangle", 1, 2, 4.5, 6), Shape.RECTANGLE, box(1, 2, 4.5, 6)),
        (lambda lab: lab.box_roi("Rectangle", 4, 6, 1, 2), Shape.RECTANGLE, box(1, 2, 4, 6)),
        (lambda lab: lab.box_roi("Line", 1, 2, 3, 4), Shape.LINE, LineString([(1, 2), (3, 4)])),
        (lambda lab: lab.vertices_roi("Points", [(3, 4)]), Shape.POINTS, Point(3, 4)),
        (lambda lab: lab.vertices_roi("Points", [(3, 4), (5, 6)]), Shape.POINTS, MultiPoint([(3, 4), (5, 6)])),
        (lambda lab: lab.geometry_roi(box(0, 0, 3, 3)), Shape.GEOMETRY, box(0, 0, 3, 3)),
        (lambda lab: lab.geometry_roi(box(0, 0, 3, 3), byte_order=1), Shape.GEOMETRY, box(0, 0, 3, 3)),
    ],
)
def test_every_kind(lab, make, shape, wanted) -> None:
    ((geometry, found, plane),) = _read(make(lab))
    assert found is shape and plane == Plane()
    assert shapely.equals_exact(shapely.normalize(geometry), shapely.normalize(wanted), 0)


def test_planes(lab) -> None:
    plane = (1, 2, 3)
    rois = [lab.vertices_roi("Polygon", [(0, 0), (1, 0), (1, 1)], plane), lab.box_roi("Rectangle", 0, 0, 1, 1, plane)]
    assert [found for _, _, found in _read(*rois)] == [Plane(*plane)] * 2


def test_a_roi_met_twice_has_one_number(lab) -> None:
    reader = RoiReader(Allowance(1000))
    roi = lab.box_roi("Rectangle", 0, 0, 1, 1)
    assert reader.add(roi) == reader.add(roi) == 0


@pytest.mark.parametrize("points", [[(1, 2)], [(1, 2), (3, 4)], [(1, 2), (1, 2)]])
def test_too_few_vertices_are_kept_as_drawn(lab, points) -> None:
    ((polygon, shape, _), (line, _, _)) = _read(
        lab.vertices_roi("Polygon", points), lab.vertices_roi("Polyline", points)
    )
    assert shape is Shape.POLYGON and not polygon.is_valid
    assert {tuple(p) for p in shapely.get_coordinates(polygon)} == set(points) == set(line.coords)


_nan_point = [(0.0, 0.0), (1.0, math.nan), (1.0, 1.0)]
_inf_point = [(0.0, 0.0), (1.0, math.inf), (1.0, 1.0)]


@pytest.mark.parametrize(
    "make",
    [
        lambda lab: None,
        lambda lab: lab.integer(1),
        lambda lab: lab.object("qupath.lib.roi.FutureROI$SerializationProxy", bytes(12)),
        lambda lab: lab.vertices_roi("Polygon", []),
        lambda lab: lab.vertices_roi("Polygon", _nan_point),
        lambda lab: lab.vertices_roi("Points", _inf_point),
        lambda lab: lab.box_roi("Ellipse", 0, 0, math.inf, 1),
        lambda lab: lab.box_roi("Ellipse", -1.7e308, 0, 1.7e308, 1),
        lambda lab: lab.geometry(b"no wkb"),
        lambda lab: lab.geometry(shapely.to_wkb(Polygon(_inf_point), byte_order=0)),
        lambda lab: lab.area_roi([[(0, 0), (1, 0)]]),
        lambda lab: lab.jts_roi(None),
    ],
)
def test_what_makes_no_geometry_is_none_and_spoils_nothing_else(lab, make) -> None:
    good = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)]
    (before, _, _), (geometry, shape, _), (after, _, _) = _read(
        lab.vertices_roi("Polygon", good), make(lab), lab.vertices_roi("Points", good)
    )
    assert shape is Shape.NONE and geometry.is_empty
    assert before.equals(Polygon(good)) and after.equals(MultiPoint(good))
