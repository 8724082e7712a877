"""Shapely to GeoJSON geometries as QuPath takes them: two decimals, valid, no collections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, cast

import geojson
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, MultiLineString, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from bridge.annotations.geometry import repair_area
from bridge.annotations.objects import Plane
from bridge.qupath.geojson_geometry import as_array, polygon_parts

_GRID_PX = 0.01  # QuPath writes two decimals, and 0.6+ reads onto this grid
_DECIMALS = 2
_EVERY_PLANE = Plane()


def on_grid(geometries: Sequence[BaseGeometry]) -> list[BaseGeometry]:
    """Return the geometries as QuPath takes them: two decimals, valid areas, no collection.

    What is valid with two decimals keeps its vertices and their order; other areas are repaired (even-odd). A
    collection becomes its polygons. Empty where nothing of the kind is left: an area below 0.01 px, say.
    """
    plain = _without_collections(as_array(geometries))
    rounded = _rounded(plain)
    # Lines and points are always valid enough; only areas make QuPath refuse a file.
    faulty = ~shapely.is_valid(rounded) & (shapely.get_dimensions(rounded) == 2)
    for place in np.flatnonzero(faulty).tolist():
        rounded[place] = _valid_on_grid(plain[place])
    return list(rounded)


def _without_collections(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    kinds = shapely.get_type_id(geometries)
    for place in np.flatnonzero(kinds == shapely.GeometryType.GEOMETRYCOLLECTION).tolist():
        geometries[place] = MultiPolygon(polygon_parts(geometries[place]))
    for place in np.flatnonzero(kinds == shapely.GeometryType.LINEARRING).tolist():
        geometries[place] = LineString(geometries[place].coords)
    return geometries


def _rounded(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    return np.asarray(shapely.transform(geometries, lambda points: np.round(points, _DECIMALS)))


def _valid_on_grid(geometry: BaseGeometry) -> BaseGeometry:
    snapped = shapely.set_precision(repair_area(geometry), _GRID_PX)
    parts = polygon_parts(_rounded(as_array([snapped]))[0])
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def to_geojson(geometries: Sequence[BaseGeometry], planes: Sequence[Plane]) -> list[geojson.geometry.Geometry]:
    """Return GeoJSON geometries, each with its plane where that is not the default one.

    Coordinates are views of one array (float64, shape (points, 2)), which ``to_text`` writes without making numbers of
    Python's of them.

    Parameters
    ----------
    geometries
        Not empty, no collections: as ``on_grid`` returns them.
    planes
        One for each geometry.
    """
    areas = [_areas(geometry) for geometry in geometries]
    coordinates = _polygon_coordinates([part for parts in areas for part in parts])
    written = []
    for geometry, plane, parts in zip(geometries, planes, areas, strict=True):
        mine = [next(coordinates) for _ in parts]
        value = mine[0] if isinstance(geometry, Polygon) else mine or _nested_lists(geometry)
        written.append(_geojson(geometry.geom_type, value, plane))
    return written


def _areas(geometry: BaseGeometry) -> list[Polygon]:
    if isinstance(geometry, Polygon):
        return [geometry]
    return list(geometry.geoms) if isinstance(geometry, MultiPolygon) else []


def _polygon_coordinates(polygons: list[Polygon]) -> Iterator[list[Any]]:
    rings, owners = shapely.get_rings(as_array(polygons), return_index=True)
    points = shapely.get_coordinates(rings)
    ends = np.cumsum(shapely.get_num_coordinates(rings)).tolist()
    views = [points[start:end] for start, end in pairwise([0, *ends])]
    first_rings = np.searchsorted(owners, np.arange(len(polygons) + 1)).tolist()
    return (views[start:end] for start, end in pairwise(first_rings))


def _nested_lists(geometry: BaseGeometry) -> list[Any]:
    points: list[Any] = shapely.get_coordinates(geometry).tolist()
    if geometry.geom_type == "Point":
        return cast(list[Any], points[0])
    if isinstance(geometry, MultiLineString):
        return [shapely.get_coordinates(line).tolist() for line in geometry.geoms]
    return points


def _geojson(kind: str, coordinates: list[Any], plane: Plane) -> geojson.geometry.Geometry:
    geometry = getattr(geojson, kind)()
    # Set afterwards: the constructor goes through every number in Python.
    geometry["coordinates"] = coordinates
    if plane != _EVERY_PLANE:
        geometry["plane"] = plane._asdict()
    return geometry
