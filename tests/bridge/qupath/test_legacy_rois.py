"""ROIs as QuPath wrote them before 0.2; no real file of that age is at hand, so the workshop makes them."""

from __future__ import annotations

import pytest
import shapely
from shapely.geometry import LineString, MultiPolygon, Point, box

from bridge.annotations import Shape
from bridge.qupath.java_values import Allowance
from bridge.qupath.rois import RoiReader


def _read(roi):
    reader = RoiReader(Allowance(1_000_000))
    reader.add(roi)
    return reader.geometries()[0], reader.shapes[0]


def test_rings_of_the_old_area_roi(lab) -> None:
    outer, hole, island = (list(box(*b).exterior.coords)[:-1] for b in ((0, 0, 9, 9), (2, 2, 4, 4), (20, 0, 22, 2)))
    geometry, shape = _read(lab.area_roi([outer, hole, island]))
    assert shape is Shape.GEOMETRY
    assert geometry.equals(MultiPolygon([box(0, 0, 9, 9) - box(2, 2, 4, 4), box(20, 0, 22, 2)]))


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    "geometry",
    [
        Point(1, 2),
        LineString([(0, 0), (1, 2.5), (3, 3)]),
        box(0, 0, 9, 9) - box(2, 2, 4, 4),
        MultiPolygon([box(0, 0, 1, 1), box(5, 5, 6, 7)]),
    ],
)
def test_jts_objects_of_the_old_geometry_roi(lab, geometry, packed: bool) -> None:
    if isinstance(geometry, Point):
        node = lab.object("org.locationtech.jts.geom.Point", bytes(4), lab._sequence(list(geometry.coords), packed))
    else:
        node = lab.jts(geometry, packed)
    found, shape = _read(lab.jts_roi(node))
    assert shape is Shape.GEOMETRY and shapely.equals_exact(found, geometry, 0)
