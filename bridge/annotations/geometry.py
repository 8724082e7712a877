"""Geometry repair and comparison: named steps that a caller asks for; nothing drawn is changed on loading."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiLineString, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

_POLYGON, _MULTIPOLYGON = 3, 6  # GEOS type ids
_ROUNDING_PX = 1e-6  # float noise of coordinates up to 10⁹ px: a shift of exactly the tolerance is within it
_STARTS = 16  # vertices tried as the other ring's first; freehand at high zoom has hundreds within a pixel


def repair_area(geometry: BaseGeometry) -> MultiPolygon:
    """Return the area that a drawn outline covers, as valid polygons.

    Each ring that crosses itself follows the even-odd rule (GEOS ``make_valid``, *linework*); holes are taken from
    their shell, also where they share an edge with it; several polygons cover what any of them covers. Spikes, lines
    and points that the repair leaves over are dropped. Empty where the outline has no area.
    """
    if geometry.is_valid:
        return MultiPolygon(_polygons(geometry))
    parts = [_repair_polygon(polygon) for polygon in _polygons(geometry)]
    return (
        MultiPolygon(_polygons(shapely.union_all(parts) if len(parts) > 1 else parts[0])) if parts else MultiPolygon()
    )


def _repair_polygon(polygon: BaseGeometry) -> BaseGeometry:
    if polygon.is_valid:
        return polygon
    shell, *holes = (_ring_area(ring) for ring in shapely.get_rings(polygon))
    return shapely.difference(shell, shapely.union_all(holes)) if holes else shell


def _ring_area(ring: BaseGeometry) -> MultiPolygon:
    polygon = Polygon(shapely.get_coordinates(ring))
    return MultiPolygon(_polygons(polygon if polygon.is_valid else shapely.make_valid(polygon)))


def _polygons(geometry: BaseGeometry) -> list[Polygon]:
    """Return the polygons of a geometry, however deep in collections, without empty ones."""
    work: list[BaseGeometry] = [geometry]
    found: list[Polygon] = []
    while work:
        part = work.pop()
        if isinstance(part, Polygon):
            found += [] if part.is_empty else [part]
        elif part.geom_type in ("MultiPolygon", "GeometryCollection"):
            work.extend(reversed(shapely.get_parts(part)))
    return found


def repair_areas(geometries: Sequence[BaseGeometry]) -> NDArray[np.object_]:
    """Return ``repair_area`` of each, except that a valid polygon stays the object that it is.

    Returns
    -------
    ndarray
        Of Polygon and MultiPolygon, shape (len(geometries),).
    """
    areas = np.array(geometries, dtype=object)
    is_sound = np.isin(shapely.get_type_id(areas), (_POLYGON, _MULTIPOLYGON)) & shapely.is_valid(areas)
    for place in np.flatnonzero(~is_sound):
        areas[place] = repair_area(areas[place])
    return areas


def is_same_outline(first: BaseGeometry, second: BaseGeometry, *, tolerance_px: float = 1.0) -> bool:
    """Say whether two outlines are the same drawing, whatever a format did to their numbers.

    Ring start, direction and closure don't count; the Hausdorff distance of the outlines, holes included, is at most
    ``tolerance_px`` level-0 pixels (QuPath stores float32, its GeoJSON rounds to 0.01, ImageScope to whole pixels).

    Notes
    -----
    The distance is that of the lines, not of their vertices: the same vertices joined in another order are another
    drawing. A distance up to 0.1 % above the tolerance may pass.
    """
    if first.is_empty or second.is_empty:
        return first.is_empty and second.is_empty
    tolerance = tolerance_px + _ROUNDING_PX
    near = all(abs(a - b) <= tolerance for a, b in zip(first.bounds, second.bounds, strict=True))
    if not near or _structure(first) != _structure(second):
        return False
    return _is_vertex_by_vertex(first, second, tolerance) or (
        _is_along(first, second, tolerance) and _is_along(second, first, tolerance)
    )


def near_pairs(
    first: NDArray[np.object_], second: NDArray[np.object_], *, tolerance_px: float = 1.0
) -> list[tuple[int, int]]:
    """Return the places in first and second of all that ``is_same_outline`` need be asked about, in order of both.

    Their bounds agree within the tolerance. What is empty is in no pair.
    """
    bounds, others = shapely.bounds(first), shapely.bounds(second)
    reach = np.array([-1, -1, 1, 1]) * (tolerance_px + _ROUNDING_PX)
    i, j = shapely.STRtree(second).query(shapely.box(*(bounds + reach).T))
    is_near = (np.abs(bounds[i] - others[j]) <= tolerance_px + _ROUNDING_PX).all(axis=1)
    return sorted(zip(i[is_near].tolist(), j[is_near].tolist(), strict=True))


def _is_vertex_by_vertex(first: BaseGeometry, second: BaseGeometry, tolerance: float) -> bool:
    """Say whether the rings agree vertex by vertex: enough for the lines between them, and what tools leave us."""
    if not _is_area(first) or shapely.get_num_coordinates(first) != shapely.get_num_coordinates(second):
        return False
    pairs = zip(_rings(first), _rings(second), strict=True)
    return all(_is_ring_shifted(shapely.get_coordinates(a), shapely.get_coordinates(b), tolerance) for a, b in pairs)


def _is_ring_shifted(first: NDArray[np.float64], second: NDArray[np.float64], tolerance: float) -> bool:
    if len(first) != len(second) or len(first) < 2:
        return False
    a, b = first[:-1], second[:-1]  # the closing vertex repeats the first
    distance = np.hypot(*(b - a[0]).T)
    starts = [int(i) for i in np.argsort(distance, kind="stable")[:_STARTS] if distance[i] <= tolerance]
    candidates = (np.roll(ring, -shift, axis=0) for start in starts for ring, shift in _turns(b, start))
    return any(bool((np.hypot(*(a - ring).T) <= tolerance).all()) for ring in candidates)


def _turns(ring: NDArray[np.float64], start: int) -> tuple[tuple[NDArray[np.float64], int], ...]:
    return (ring, start), (ring[::-1], len(ring) - 1 - start)


def _is_along(first: BaseGeometry, second: BaseGeometry, tolerance: float) -> bool:
    """Say whether every point of the first outline lies within the tolerance of the second."""
    line, other = _outline(first), _outline(second)
    shapely.prepare(other)
    # The vertices first: they tell nearly every edit, and cost a tenth of the lines.
    if not shapely.dwithin(other, shapely.points(shapely.get_coordinates(line)), tolerance).all():
        return False
    corridor = shapely.buffer(other, tolerance * 1.001, quad_segs=32)  # inscribed: 0.03 % narrower at its corners
    return bool(shapely.covers(corridor, line))


def _outline(geometry: BaseGeometry) -> BaseGeometry:
    # Rings, not `boundary`: that one is undefined for crossing rings.
    if not _is_area(geometry):
        return geometry
    return MultiLineString([shapely.get_coordinates(ring) for ring in _rings(geometry)])


def _is_area(geometry: BaseGeometry) -> bool:
    return geometry.geom_type in ("Polygon", "MultiPolygon")


def _rings(geometry: BaseGeometry) -> list[BaseGeometry]:
    return [ring for part in shapely.get_parts(geometry) for ring in shapely.get_rings(part)]


def _structure(geometry: BaseGeometry) -> tuple[int, int, int]:
    """Return dimension, parts and holes: an outline with its hole filled is another drawing."""
    parts = shapely.get_parts(geometry)
    holes = int(shapely.get_num_interior_rings(parts).sum())
    return int(shapely.get_dimensions(geometry)), len(parts), holes
