"""Outlines of any kind → nodes of QuPath's ROIs, each on its plane, all of one kind at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import pack
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import shapely
from shapely import GeometryType as Kind
from shapely.geometry import MultiPolygon
from shapely.geometry.base import BaseGeometry

from bridge.annotations import Plane, Shape, repair_area
from bridge.qupath import class_table as table
from bridge.qupath import rois
from bridge.qupath.class_table import ClassEntry
from bridge.qupath.graph_builder import GraphBuilder
from bridge.qupath.java_stream import JavaObject
from bridge.qupath.roi_geometry import Geometries
from bridge.qupath.roi_numbers import DECIMALS, float_columns, grid_wkb, rounded

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
# Fields between plane and vertices (name, statistics), which QuPath makes itself.
_BETWEEN: Mapping[str, tuple[None, ...]] = {rois.POLYGON: (None, None), rois.POINTS: (None,), rois.POLYLINE: ()}
_Mask = npt.NDArray[np.bool_]


class Outline(NamedTuple):
    """What a ROI is made of: level-0 pixels, how they were drawn, and where in the stack they lie."""

    geometry: BaseGeometry
    shape: Shape
    plane: Plane


def build_rois(builder: GraphBuilder, outlines: Sequence[Outline]) -> list[JavaObject | None]:
    """Return the ROI of each outline, rounded to 0.01 px; None where QuPath has none for it.

    A rectangle or ellipse along the axes, a polygon without hole, points, a line and a polyline are ROIs of that name;
    everything else, and what has several parts, is well-known binary. An area is kept as drawn where it is one ring,
    else repaired where it is not valid (even-odd), for QuPath would refuse it.

    Parameters
    ----------
    builder
        Of the graph that they join; must know ``ROI_CLASSES``.
    """
    return _Rois(builder, outlines).build()


class _Rois:
    """ROIs in the making: each kind is built in one go and put in its places."""

    def __init__(self, builder: GraphBuilder, outlines: Sequence[Outline]) -> None:
        self._builder = builder
        self._planes = [pack(">iii", plane.c, plane.t, plane.z) for _, _, plane in outlines]
        self._shapes = np.array([outline.shape.value for outline in outlines], dtype=object)
        self._geometries = _held_parts([outline.geometry for outline in outlines])
        self._built: list[JavaObject | None] = [None] * len(outlines)

    def build(self) -> list[JavaObject | None]:
        geometries = self._geometries
        kinds = shapely.get_type_id(geometries)
        is_held = (self._shapes != Shape.NONE.value) & _is_in_reach(geometries)
        is_path = is_held & (kinds == Kind.LINESTRING)
        is_line = is_path & (shapely.get_num_coordinates(geometries) == 2)
        is_ring = is_held & (kinds == Kind.POLYGON) & (shapely.get_num_interior_rings(geometries) == 0)
        is_points = is_held & np.isin(kinds, (Kind.POINT, Kind.MULTIPOINT))
        is_box, is_ellipse = self._boxes(is_ring)
        self._add_vertices(rois.POINTS, is_points)
        self._add_vertices(rois.POLYLINE, is_path & ~is_line)
        self._add_corners(rois.LINE, is_line, _line_ends(geometries[is_line]))
        self._add_corners(rois.RECTANGLE, is_box, shapely.bounds(geometries[is_box]))
        self._add_corners(rois.ELLIPSE, is_ellipse, shapely.bounds(geometries[is_ellipse]))
        self._add_vertices(rois.POLYGON, self._with_area(is_ring & ~is_box & ~is_ellipse))
        self._add_well_known(is_held & ~is_points & ~is_path & ~is_ring)
        return self._built

    def _boxes(self, is_ring: _Mask) -> tuple[_Mask, _Mask]:
        """Return which rings are rectangles and which are ellipses, both along the axes."""
        x, y, x2, y2 = shapely.bounds(self._geometries).T
        with np.errstate(invalid="ignore"):
            has_extent = is_ring & (x2 > x) & (y2 > y)
            fills_box = np.isclose(shapely.area(self._geometries), (x2 - x) * (y2 - y), rtol=1e-6, atol=0)
        is_rectangle = has_extent & fills_box & (self._shapes == Shape.RECTANGLE.value)
        return is_rectangle, has_extent & (self._shapes == Shape.ELLIPSE.value)

    def _with_area(self, is_ring: _Mask) -> _Mask:
        """Take out the rings of which nothing is left on the 0.01 px grid."""
        places = np.flatnonzero(is_ring)
        on_grid = rounded(self._geometries[places])
        # Whatever it crosses, a ring of some signed area covers some: far cheaper to see than whether it is valid.
        is_clear = shapely.area(on_grid) > 0
        for place, ring in zip(places[~is_clear].tolist(), on_grid[~is_clear], strict=True):
            is_ring[place] = not repair_area(ring).is_empty
        return is_ring

    def _add_vertices(self, name: str, chosen: _Mask) -> None:
        builder, between = self._builder, _BETWEEN[name]
        columns = float_columns(self._geometries[chosen], drop_last=name == rois.POLYGON)
        for place, (x, y) in zip(np.flatnonzero(chosen).tolist(), columns, strict=True):
            arrays = builder.primitives("[F", x), builder.primitives("[F", y)
            self._built[place] = builder.object(name, self._planes[place], *between, *arrays)

    def _add_corners(self, name: str, chosen: _Mask, corners: npt.NDArray[np.float64]) -> None:
        rows = corners.round(DECIMALS).tolist()
        for place, (x, y, x2, y2) in zip(np.flatnonzero(chosen).tolist(), rows, strict=True):
            plane = self._planes[place]
            data = plane[:8] + pack(">dddd", x, x2, y, y2) + plane[8:]  # c and t, corners, z: Java's order
            self._built[place] = self._builder.object(name, data, None)

    def _add_well_known(self, chosen: _Mask) -> None:
        builder = self._builder
        for place, wkb in zip(np.flatnonzero(chosen).tolist(), grid_wkb(self._geometries[chosen]), strict=True):
            if wkb is not None:
                array = builder.primitives("[B", wkb)
                self._built[place] = builder.object(rois.GEOMETRY, self._planes[place], None, array)


def _line_ends(lines: Geometries) -> npt.NDArray[np.float64]:
    return shapely.get_coordinates(lines).reshape(-1, 4)


def _is_in_reach(geometries: Geometries) -> _Mask:
    """Say of each geometry whether it has coordinates, all of them finite and of some slide."""
    with np.errstate(invalid="ignore"):
        found = np.abs(shapely.bounds(geometries)).max(axis=1, initial=0.0) <= _MAX_COORDINATE  # NaN: empty
    return np.asarray(found, bool)


def _held_parts(geometries: Sequence[BaseGeometry]) -> Geometries:
    """Return geometries of several parts as their one part, and mere collections as their polygons."""
    held = np.empty(len(geometries), dtype=object)
    held[:] = geometries
    for place in np.flatnonzero(shapely.get_type_id(held) == Kind.GEOMETRYCOLLECTION).tolist():
        inner = shapely.get_parts(shapely.get_parts(held[place]))
        held[place] = MultiPolygon([part for part in inner if part.geom_type == "Polygon"])
    is_several = np.isin(shapely.get_type_id(held), (Kind.MULTIPOLYGON, Kind.MULTILINESTRING))
    is_single = is_several & (shapely.get_num_geometries(held) == 1)
    held[is_single] = shapely.get_geometry(held[is_single], 0)
    return held
