"""Outlines of any kind → nodes of QuPath's ROIs, each on its plane."""

from __future__ import annotations

import math
from collections.abc import Mapping
from struct import pack

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import MultiPolygon
from shapely.geometry.base import BaseGeometry

from bridge.annotations import Plane, Shape, repair_area
from bridge.qupath import class_table as table
from bridge.qupath import rois
from bridge.qupath.class_table import ClassEntry
from bridge.qupath.graph_builder import GraphBuilder
from bridge.qupath.java_stream import JavaObject
from bridge.qupath.own_objects import DECIMALS

_GRID_PX = 10.0**-DECIMALS
_MAX_COORDINATE = 1e9  # level-0 pixels: what read_geojson takes
_PLANE = (("I", "c", None), ("I", "t", None), ("I", "z", None))
_NAME = (("L", "name", "Ljava/lang/String;"),)
_X_Y = (("[", "x", "[F"), ("[", "y", "[F"))

# As QuPath 0.4 to 0.7 describe them; rectangle, polygon and geometry are in ``class_table``.
ROI_CLASSES: Mapping[str, ClassEntry] = {
    rois.ELLIPSE: table.CLASSES[table.RECTANGLE],
    rois.LINE: table.CLASSES[table.RECTANGLE],
    rois.POLYLINE: ClassEntry(1, table.CLASSES[table.RECTANGLE].flags, _PLANE + _X_Y),
    rois.POINTS: ClassEntry(1, table.CLASSES[table.RECTANGLE].flags, _PLANE + _NAME + _X_Y),
}
_BOXES = {Shape.RECTANGLE: rois.RECTANGLE, Shape.ELLIPSE: rois.ELLIPSE}


def build_roi(builder: GraphBuilder, geometry: BaseGeometry, shape: Shape, plane: Plane) -> JavaObject | None:
    """Return the ROI of an outline, rounded to 0.01 px; None where QuPath has none for it.

    A rectangle or ellipse along the axes, a polygon without hole, points, a line and a polyline are ROIs of that name;
    everything else, and what has several parts, is well-known binary. An area is kept as drawn where it is one ring,
    else repaired where it is not valid (even-odd), for QuPath would refuse it.

    Parameters
    ----------
    builder
        Of the graph that it joins; must know ``ROI_CLASSES``.
    """
    geometry = _held_part(geometry)
    if shape is Shape.NONE or geometry.is_empty or not max(map(abs, geometry.bounds)) <= _MAX_COORDINATE:
        return None
    kind = geometry.geom_type
    if kind in ("Point", "MultiPoint"):
        return _vertices(builder, rois.POINTS, shapely.get_coordinates(geometry), plane)
    if kind == "LineString":
        return _path(builder, shapely.get_coordinates(geometry), plane)
    if kind == "Polygon" and shapely.get_num_interior_rings(geometry) == 0:
        return _outline(builder, geometry, shape, plane)
    return _well_known(builder, geometry, plane)


def _held_part(geometry: BaseGeometry) -> BaseGeometry:
    """Return a geometry of several parts as its one part, and a mere collection as its polygons."""
    if geometry.geom_type == "GeometryCollection":
        inner = shapely.get_parts(shapely.get_parts(geometry))
        geometry = MultiPolygon([part for part in inner if part.geom_type == "Polygon"])
    parts = shapely.get_parts(geometry)
    is_single = geometry.geom_type in ("MultiPolygon", "MultiLineString") and len(parts) == 1
    return parts[0] if is_single else geometry


def _outline(builder: GraphBuilder, polygon: BaseGeometry, shape: Shape, plane: Plane) -> JavaObject | None:
    x, y, x2, y2 = polygon.bounds
    is_box = shape is Shape.ELLIPSE or math.isclose(polygon.area, (x2 - x) * (y2 - y), rel_tol=1e-6)
    if shape in _BOXES and is_box and x2 > x and y2 > y:
        return _corners(builder, _BOXES[shape], (x, y, x2, y2), plane)
    ring = shapely.get_coordinates(polygon)
    if repair_area(shapely.Polygon(ring.round(DECIMALS))).is_empty:
        return None
    return _vertices(builder, rois.POLYGON, ring[:-1], plane)


def _path(builder: GraphBuilder, path: npt.NDArray[np.float64], plane: Plane) -> JavaObject:
    if len(path) == 2:
        (x, y), (x2, y2) = path.tolist()
        return _corners(builder, rois.LINE, (x, y, x2, y2), plane)
    return _vertices(builder, rois.POLYLINE, path, plane)


def _corners(builder: GraphBuilder, name: str, corners: tuple[float, float, float, float], plane: Plane) -> JavaObject:
    x, y, x2, y2 = (round(value, DECIMALS) for value in corners)
    return builder.object(name, pack(">iiddddi", plane.c, plane.t, x, x2, y, y2, plane.z), None)


def _vertices(builder: GraphBuilder, name: str, points: npt.NDArray[np.float64], plane: Plane) -> JavaObject:
    between = {rois.POLYGON: (None, None), rois.POINTS: (None,)}.get(name, ())  # name, statistics: QuPath makes them
    x, y = (builder.primitives("[F", column.astype(">f4").tobytes()) for column in points.round(DECIMALS).T)
    return builder.object(name, _plane(plane), *between, x, y)


def _well_known(builder: GraphBuilder, geometry: BaseGeometry, plane: Plane) -> JavaObject | None:
    rounded = shapely.transform(geometry, lambda points: points.round(DECIMALS))
    if rounded.geom_type != "MultiLineString" and not rounded.is_valid:
        rounded = shapely.set_precision(repair_area(geometry), _GRID_PX)
    if rounded.is_empty:
        return None
    wkb = bytes(shapely.to_wkb(rounded, byte_order=0, output_dimension=2))
    return builder.object(rois.GEOMETRY, _plane(plane), None, builder.primitives("[B", wkb))


def _plane(plane: Plane) -> bytes:
    return pack(">iii", plane.c, plane.t, plane.z)
