"""ROIs in forms that QuPath wrote before 0.2 and still reads: rings of float32, and JTS geometries as Java objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from bridge.qupath.java_stream import Item, JavaObject, ObjectArray, PrimitiveArray
from bridge.qupath.java_values import PAIR, Allowance, numbers

_JTS = ("org.locationtech.jts.geom.", "com.vividsolutions.jts.geom.")
_COLLECTIONS: dict[str, Callable[..., Any]] = {  # shapely's vectorized constructors
    "MultiPoint": shapely.multipoints,
    "MultiLineString": shapely.multilinestrings,
    "MultiPolygon": shapely.multipolygons,
}
_Points = list[tuple[float, float]]


def area_of_rings(x: Item, y: Item, allowance: Allowance) -> BaseGeometry | None:
    """Return the area that rings enclose, holes by the even-odd rule; None if they enclose none.

    Rings are kept as drawn: a ring inside an odd number of others is a hole of the one around it. Where more rings lie
    in one another than a legacy file could hold, the time to sort them would have no bound: None as well.

    Parameters
    ----------
    x, y
        ``float[][]``: the vertices, one array a ring.
    """
    if not isinstance(x, ObjectArray) or not isinstance(y, ObjectArray):
        return None
    rings = []
    for xs, ys in zip(x.items, y.items, strict=False):
        a, b = numbers(xs), numbers(ys)
        allowance.spend(8 * (len(a) + len(b)) + PAIR)
        points = np.column_stack((a, b)) if len(a) == len(b) else np.empty((0, 2))
        if len(points) >= 3 and np.isfinite(points).all() and (points != points[0]).any():
            rings.append(points)
    effort = len(rings) * sum(map(len, rings)) // 16 + 2 * len(rings) ** 2
    return _nested(rings) if rings and allowance.try_spend(effort) else None


def _nested(rings: list[NDArray[np.float64]]) -> BaseGeometry:
    """Return polygons of rings, each hole in the smallest ring around it."""
    outlines = np.array([shapely.polygons(ring) for ring in rings], dtype=object)
    areas = shapely.area(outlines)
    # The middle of an edge: rings that touch do so at their vertices.
    edges = [ring[_first_edge(ring) :][:2] for ring in rings]
    inner, outer = shapely.STRtree(outlines).query(
        shapely.points([edge.mean(axis=0) for edge in edges]), predicate="within"
    )
    is_around = areas[outer] > areas[inner]
    inner, outer = inner[is_around], outer[is_around]
    is_hole = np.bincount(inner, minlength=len(rings)) % 2 == 1
    holes: dict[int, list[NDArray[np.float64]]] = {}
    smallest_last = np.argsort(-areas[outer], kind="stable")
    around = dict(zip(inner[smallest_last].tolist(), outer[smallest_last].tolist(), strict=True))
    for place in np.flatnonzero(is_hole).tolist():
        holes.setdefault(around[place], []).append(rings[place])
    parts = [Polygon(rings[place], holes.get(place)) for place in np.flatnonzero(~is_hole).tolist()]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def _first_edge(ring: NDArray[np.float64]) -> int:
    """Return where the first edge starts that is longer than nothing."""
    return int((ring[1:] != ring[:-1]).any(axis=1).argmax())


def geometry_of_jts(item: Item, allowance: Allowance) -> BaseGeometry | None:
    """Return a JTS geometry that was written as Java objects; None if it is not one of the simple kinds.

    A collection inside a collection is none: QuPath makes no such ROI, and so nothing has to recurse.
    """
    kind = _jts_kind(item)
    if not isinstance(item, JavaObject) or kind is None:
        return None
    if kind not in _COLLECTIONS:
        return _simple(item, kind, allowance)
    members = item.field("geometries")
    if not isinstance(members, ObjectArray):
        return None
    allowance.spend(PAIR * len(members.items))
    parts = [_simple(part, _jts_kind(part), allowance) for part in members.items]
    whole = [part for part in parts if part is not None]
    if not whole or len(whole) < len(parts):
        return None
    try:
        collected: BaseGeometry = _COLLECTIONS[kind](whole)
    except (TypeError, ValueError, shapely.errors.ShapelyError):
        return None
    return collected


def _jts_kind(item: Item) -> str | None:
    package, _, kind = item.desc.name.rpartition(".") if isinstance(item, JavaObject) else ("", "", "")
    return kind if f"{package}." in _JTS else None


def _simple(item: Item, kind: str | None, allowance: Allowance) -> BaseGeometry | None:
    """Return a point, line or polygon; None for anything else."""
    if not isinstance(item, JavaObject):
        return None
    if kind == "Polygon":
        return _polygon(item, allowance)
    points = _points(item.field("points") or item.field("coordinates"), allowance)
    if kind == "Point" and len(points) == 1:
        return Point(points[0])
    if kind in ("LineString", "LinearRing") and len(points) >= 2:
        return LineString(points)
    return None


def _polygon(item: JavaObject, allowance: Allowance) -> Polygon | None:
    holes = item.field("holes")
    rings = [item.field("shell"), *(holes.items if isinstance(holes, ObjectArray) else ())]
    allowance.spend(PAIR * len(rings))
    outlines = [_points(ring.field("points"), allowance) for ring in rings if isinstance(ring, JavaObject)]
    if not outlines or any(len(outline) < 4 for outline in outlines):
        return None
    return Polygon(outlines[0], outlines[1:])


def _points(sequence: Item, allowance: Allowance) -> _Points:
    """Return (x, y) of a coordinate sequence: of ``Coordinate`` objects, or packed into one array."""
    if not isinstance(sequence, JavaObject):
        return []
    packed = sequence.field("coords")
    if isinstance(packed, PrimitiveArray):
        allowance.spend(4 * len(packed.data))
        values, width = numbers(packed), int(sequence.number("dimension") or 2)
        return list(zip(values[::width], values[1::width], strict=False)) if width >= 2 else []
    coordinates = sequence.field("coordinates")
    members = coordinates.items if isinstance(coordinates, ObjectArray) else []
    allowance.spend(PAIR * len(members))
    pairs = [(m.number("x"), m.number("y")) for m in members if isinstance(m, JavaObject)]
    return [(float(x), float(y)) for x, y in pairs if x is not None and y is not None]
