"""QuPath's ROIs in the graph → shapely geometries, all of a file in a few vectorized calls.

QuPath writes each ROI as a *proxy*: polygon, polyline and points as float32 arrays; rectangle, ellipse and line as two
corners; everything else as well-known binary. Two older forms are read as well (``legacy_rois``).
"""

from __future__ import annotations

import math
from struct import unpack_from

import numpy as np
import shapely
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from bridge.annotations import Plane, Shape
from bridge.qupath.java_class import ClassDesc
from bridge.qupath.java_stream import Item, JavaObject, PrimitiveArray
from bridge.qupath.java_values import Allowance
from bridge.qupath.legacy_rois import area_of_rings, geometry_of_jts
from bridge.qupath.roi_geometry import (
    FEWEST_POINTS,
    Geometries,
    Vertices,
    ellipse_sides,
    is_finite,
    of_corners,
    of_vertices,
)
from bridge.qupath.wkb import is_plain_wkb

PACKAGE = "qupath.lib.roi."
POLYGON = PACKAGE + "PolygonROI$SerializationProxy"
POLYLINE = PACKAGE + "PolylineROI$SerializationProxy"
POINTS = PACKAGE + "PointsROI$SerializationProxy"
RECTANGLE = PACKAGE + "RectangleROI$SerializationProxy"
ELLIPSE = PACKAGE + "EllipseROI$SerializationProxy"
LINE = PACKAGE + "LineROI$SerializationProxy"
GEOMETRY = PACKAGE + "GeometryROI$WKBSerializationProxy"
JTS_GEOMETRY = PACKAGE + "GeometryROI$SerializationProxy"
AREA = PACKAGE + "AreaROI$SerializationProxy"

_SHAPES = {
    POLYGON: Shape.POLYGON,
    POLYLINE: Shape.POLYLINE,
    POINTS: Shape.POINTS,
    RECTANGLE: Shape.RECTANGLE,
    ELLIPSE: Shape.ELLIPSE,
    LINE: Shape.LINE,
    GEOMETRY: Shape.GEOMETRY,
    JTS_GEOMETRY: Shape.GEOMETRY,
    AREA: Shape.GEOMETRY,
}
_EMPTY = Polygon()


class _Proxy:
    """How the ROIs of one class lie in the stream."""

    __slots__ = ("_plane_at", "_planes", "_xy", "shape", "slots")

    def __init__(self, desc: ClassDesc) -> None:
        self.shape = _SHAPES.get(desc.name, Shape.NONE)
        self.slots = slots = desc.slots
        is_placed = all(name in slots and slots[name].part == 0 and slots[name].code == "I" for name in "czt")
        self._plane_at = tuple(slots[name].offset for name in "czt") if is_placed else None
        self._planes: dict[bytes, Plane] = {}
        has_xy = all(name in slots and slots[name].code == "[" for name in "xy")
        self._xy = (slots["x"].part, slots["y"].part) if has_xy else None

    def plane(self, item: JavaObject) -> Plane:
        """Return the plane of a ROI, the default plane where it has none."""
        first = item.parts[0] if item.parts else None
        if self._plane_at is None or not isinstance(first, bytes):
            return Plane()
        plane = self._planes.get(first)
        if plane is None:
            plane = Plane(*(unpack_from(">i", first, at)[0] for at in self._plane_at))
            if len(first) == 12:  # nothing but the plane, so that thousands of ROIs share one
                self._planes[first] = plane
        return plane

    def vertices(self, item: JavaObject) -> tuple[bytes, bytes] | None:
        """Return x and y as big-endian float32, None if they are no such pair."""
        if self._xy is None:
            return None
        x, y = item.parts[self._xy[0]], item.parts[self._xy[1]]
        if not isinstance(x, PrimitiveArray) or not isinstance(y, PrimitiveArray):
            return None
        if x.desc.name != "[F" or y.desc.name != "[F" or len(x.data) != len(y.data):
            return None
        return x.data, y.data


class RoiReader:
    """Collects ROIs, then turns them into geometries all at once.

    A ROI that we don't know, or whose numbers make no geometry, becomes ``Shape.NONE`` with an empty geometry.
    """

    __slots__ = ("_allowance", "_corners", "_known", "_proxies", "_ready", "_vertices", "_wkb", "planes", "shapes")

    def __init__(self, allowance: Allowance) -> None:
        self.shapes: list[Shape] = []
        self.planes: list[Plane] = []
        self._allowance = allowance
        self._known: dict[JavaObject, int] = {}
        self._proxies: dict[ClassDesc, _Proxy] = {}
        self._vertices = {shape: Vertices() for shape in FEWEST_POINTS}
        self._corners: dict[Shape, list[tuple[float, ...]]] = {}
        self._wkb: list[tuple[int, bytes]] = []
        self._ready: list[tuple[int, BaseGeometry]] = []

    def add(self, item: Item) -> int:
        """Note a ROI and return its number; the same node has the same number."""
        number = len(self.shapes)
        if not isinstance(item, JavaObject):
            self.shapes.append(Shape.NONE)
            self.planes.append(Plane())
            return number
        if item in self._known:
            return self._known[item]
        self._known[item] = number
        proxy = self._proxies.get(item.desc)
        if proxy is None:
            proxy = self._proxies[item.desc] = _Proxy(item.desc)
        self.shapes.append(self._collect(number, item, proxy))
        self.planes.append(proxy.plane(item))
        return number

    def _collect(self, number: int, item: JavaObject, proxy: _Proxy) -> Shape:
        """Put the numbers of a ROI with those of its kind and return its shape."""
        shape = proxy.shape
        if shape in FEWEST_POINTS:
            vertices = proxy.vertices(item)
            if vertices is None or not vertices[0]:
                return Shape.NONE
            self._allowance.spend(4 * len(vertices[0]))  # x and y as doubles
            self._vertices[shape].add(number, *vertices, FEWEST_POINTS[shape])
            return shape
        if shape in (Shape.RECTANGLE, Shape.ELLIPSE, Shape.LINE):
            corners = [item.number(name) for name in ("x", "y", "x2", "y2")]
            x, y, x2, y2 = (value if isinstance(value, float) else math.nan for value in corners)
            if not math.isfinite(x + y + x2 + y2):
                return Shape.NONE
            if shape is Shape.ELLIPSE:
                self._allowance.spend(2 * ellipse_sides(x, y, x2, y2))
            self._corners.setdefault(shape, []).append((number, x, y, x2, y2))
            return shape
        return self._collect_geometry(number, item) if shape is Shape.GEOMETRY else Shape.NONE

    def _collect_geometry(self, number: int, item: JavaObject) -> Shape:
        if item.desc.name == GEOMETRY:
            wkb = item.field("wkb")
            if not isinstance(wkb, PrimitiveArray):
                return Shape.NONE
            self._allowance.spend(len(wkb.data))
            if not is_plain_wkb(wkb.data):
                return Shape.NONE
            self._wkb.append((number, wkb.data))
            return Shape.GEOMETRY
        if item.desc.name == AREA:
            geometry = area_of_rings(item.field("x"), item.field("y"), self._allowance)
        else:
            geometry = geometry_of_jts(item.field("geometry"), self._allowance)
        if geometry is None:
            return Shape.NONE
        self._ready.append((number, geometry))
        return Shape.GEOMETRY

    def geometries(self) -> Geometries:
        """Return the geometry of each ROI by number, and set the shape of those that are none to ``Shape.NONE``."""
        found = np.full(len(self.shapes), None, dtype=object)
        with np.errstate(invalid="ignore", over="ignore"):  # what isn't finite is dealt with below
            for shape, vertices in self._vertices.items():
                at, xy, of = vertices.joined()
                found[at] = of_vertices(shape, xy, of)
            for shape, corners in self._corners.items():
                rows = np.array(corners)
                found[rows[:, 0].astype(np.intp)] = of_corners(shape, rows[:, 1:])
            if self._wkb:
                numbers, data = zip(*self._wkb, strict=True)
                found[list(numbers)] = shapely.from_wkb(np.array(data, dtype=object), on_invalid="ignore")
            for place, geometry in self._ready:
                found[place] = geometry
        for number in np.flatnonzero(~is_finite(found)).tolist():
            self.shapes[number] = Shape.NONE
            found[number] = _EMPTY
        return found
