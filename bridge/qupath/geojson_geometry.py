"""GeoJSON geometries to shapely: thousands in a few NumPy calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, cast

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import GeometryCollection, LineString, MultiLineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

from bridge.annotations.objects import Shape
from bridge.errors import GeoJSONFormatError
from bridge.qupath.geojson_text import JsonObject

EMPTY = GeometryCollection()
_MAX_COORDINATE = 1e9  # level-0 pixels; no slide is nearly as large, and 1e300 overflows in what comes after
_MOST_SAID = 100  # characters of another library's message

_FAULTS = (TypeError, ValueError, KeyError, AttributeError, OverflowError, shapely.errors.ShapelyError)


@dataclass(slots=True)
class _Rings:
    """Rings of all areas, flat: each names its polygon, each polygon its place in the result."""

    points: list[Any] = field(default_factory=list)
    polygon_of_ring: list[int] = field(default_factory=list)
    place_of_polygon: list[int] = field(default_factory=list)

    def add_polygon(self, rings: Sequence[Any], place: int) -> None:
        """Note one polygon; rings of one or two points cover nothing and are left out."""
        if not rings or not rings[0]:
            return
        if not isinstance(rings[0][0], list):
            raise TypeError("coordinates are not nested as the type asks for")
        if len(rings[0]) < 3:
            return
        kept = [rings[0], *(hole for hole in rings[1:] if len(hole) >= 3)]
        self.points.extend(kept)
        self.polygon_of_ring.extend([len(self.place_of_polygon)] * len(kept))
        self.place_of_polygon.append(place)

    def polygons(self) -> NDArray[np.object_]:
        """Build all polygons."""
        counts = np.array([len(ring) for ring in self.points])
        points = _coordinates(list(chain.from_iterable(self.points)))
        rings = np.asarray(shapely.linearrings(points, indices=np.repeat(np.arange(len(counts)), counts)))
        return np.asarray(shapely.polygons(rings, indices=np.array(self.polygon_of_ring)))


def build(geometries: Sequence[JsonObject | None], paths: Sequence[str]) -> list[BaseGeometry]:
    """Build a shapely geometry from each JSON geometry, as drawn; an empty one from ``null`` and ``{}``.

    A third coordinate is dropped, an open ring closed.

    Parameters
    ----------
    geometries
        GeoJSON geometries.
    paths
        Where each is in the file, for messages.

    Raises
    ------
    GeoJSONFormatError
        An unknown type, coordinates that are no finite numbers or lie beyond 10⁹.
    """
    try:
        return _build_all(geometries)
    except _FAULTS:
        place, fault = _find_fault(geometries)
        said = str(fault)[:_MOST_SAID]  # it may quote the file
        raise GeoJSONFormatError(f"{paths[place]} can't be read ({said}); correct or delete that feature") from fault


def _find_fault(geometries: Sequence[JsonObject | None]) -> tuple[int, Exception]:
    """Return where the first geometry at fault is, and its fault: by halves, in the time of two attempts."""
    start, end = 0, len(geometries)
    while True:
        middle = (start + end + 1) // 2
        try:
            _build_all(geometries[start:middle])
        except _FAULTS as fault:
            if middle - start == 1:
                return start, fault
            end = middle
        else:
            start = middle


def _build_all(geometries: Sequence[JsonObject | None]) -> list[BaseGeometry]:
    built: list[BaseGeometry] = [EMPTY] * len(geometries)
    rings = _Rings()
    for place, geometry in enumerate(geometries):
        if not geometry:
            continue
        kind = geometry["type"]
        if kind == "Polygon":
            rings.add_polygon(geometry["coordinates"], place)
        elif kind == "MultiPolygon":
            for polygon in geometry["coordinates"]:
                rings.add_polygon(polygon, place)
        else:
            built[place] = _build_other(geometry)
    _place_areas(rings, geometries, built)
    return built


def _place_areas(rings: _Rings, geometries: Sequence[JsonObject | None], built: list[BaseGeometry]) -> None:
    if not rings.points:
        return
    polygons = rings.polygons()
    places = np.array(rings.place_of_polygon)
    is_multi = np.array([(geometries[place] or {})["type"] == "MultiPolygon" for place in places.tolist()])
    for place, polygon in zip(places[~is_multi].tolist(), polygons[~is_multi], strict=True):
        built[place] = polygon
    if is_multi.any():
        targets, index = np.unique(places[is_multi], return_inverse=True)
        for place, multi in zip(
            targets.tolist(), shapely.multipolygons(polygons[is_multi], indices=index), strict=True
        ):
            built[place] = multi


def _build_other(geometry: JsonObject) -> BaseGeometry:
    kind = geometry["type"]
    if kind == "GeometryCollection":
        parts = geometry["geometries"]
        if any(part["type"] == "GeometryCollection" for part in parts):
            raise ValueError("a GeometryCollection inside another")
        return GeometryCollection(_build_all(parts))
    points = geometry["coordinates"]
    if kind == "Point":
        return Point(_coordinates([points])[0]) if points else EMPTY
    if kind == "MultiPoint":
        return cast(BaseGeometry, shapely.multipoints(_coordinates(points))) if points else EMPTY
    if kind == "LineString":
        return LineString(_coordinates(points)) if len(points) > 1 else EMPTY
    if kind == "MultiLineString":
        return MultiLineString([_coordinates(line) for line in points if len(line) > 1])
    raise ValueError(f"unknown geometry type {kind!r:.40}")


def _coordinates(points: list[Any]) -> NDArray[np.float64]:
    try:
        array = np.array(points, dtype=np.float64)
    except ValueError:
        array = np.array([point[:2] for point in points], dtype=np.float64)  # some with, some without a third number
    if array.ndim != 2 or array.shape[1] < 2:
        raise ValueError("coordinates are not pairs of numbers")
    # NaN fails the comparison as well.
    if not (np.abs(array[:, :2]) <= _MAX_COORDINATE).all():
        raise ValueError("a coordinate is not finite or lies beyond 1e9")
    return array[:, :2]


def shapes_of(geometries: Sequence[JsonObject | None], built: Sequence[BaseGeometry]) -> list[Shape]:
    """Return how each geometry was drawn, by QuPath's own rules: an axis-aligned rectangle is one, whatever drew it."""
    is_rectangle = _are_rectangles(as_array(built))
    return [_shape(*row) for row in zip(geometries, built, is_rectangle.tolist(), strict=True)]


def _shape(geometry: JsonObject | None, built: BaseGeometry, is_rectangle: bool) -> Shape:
    if built.is_empty or not geometry:
        return Shape.NONE
    if isinstance(built, Polygon):
        if geometry.get("isEllipse") is True:
            return Shape.ELLIPSE
        if is_rectangle:
            return Shape.RECTANGLE
        return Shape.GEOMETRY if len(built.interiors) else Shape.POLYGON
    if built.geom_type in ("Point", "MultiPoint"):
        return Shape.POINTS
    if built.geom_type in ("LineString", "MultiLineString"):
        return Shape.LINE if isinstance(built, LineString) and len(built.coords) == 2 else Shape.POLYLINE
    return Shape.GEOMETRY if polygon_parts(built) else Shape.NONE


def _are_rectangles(geometries: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Say for each geometry whether it is a polygon of four sides along the axes (JTS ``isRectangle``)."""
    found = np.zeros(len(geometries), dtype=bool)
    is_polygon = shapely.get_type_id(geometries) == shapely.GeometryType.POLYGON
    five = is_polygon & (shapely.get_num_interior_rings(geometries) == 0)
    five &= shapely.get_num_coordinates(geometries) == 5
    corners = shapely.get_coordinates(geometries[five]).reshape(-1, 5, 2)
    low, high = corners.min(axis=1, keepdims=True), corners.max(axis=1, keepdims=True)
    at_corner = ((corners == low) | (corners == high)).all(axis=(1, 2))
    moves = corners[:, 1:] != corners[:, :-1]
    found[five] = at_corner & (moves[..., 0] != moves[..., 1]).all(axis=1)
    return found


def as_array(geometries: Sequence[BaseGeometry]) -> NDArray[np.object_]:
    """Return geometries as an array of one dimension, whatever they hold."""
    array = np.empty(len(geometries), dtype=object)
    array[:] = geometries
    return array


def polygon_parts(geometry: BaseGeometry) -> list[Polygon]:
    """Return the polygons that a geometry of any kind holds."""
    parts = shapely.get_parts(shapely.get_parts(geometry))
    return [part for part in parts if isinstance(part, Polygon) and not part.is_empty]
