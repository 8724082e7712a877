"""The area that a drawn outline covers, and what had to be repaired for it; nothing drawn is changed on loading."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from bridge.annotations.outlines import Geometries, as_array
from bridge.errors import InvalidGeometryError

_POLYGON, _MULTIPOLYGON = int(shapely.GeometryType.POLYGON), int(shapely.GeometryType.MULTIPOLYGON)
_PAIRS = 1 << 20  # of points and edges, held at once
_SIDE_PAIRS = 4_000_000  # of sides, compared to estimate crossings
_FEW_SIDES = 200  # these can't cross one another more often than _MOST_CROSSINGS
_MOST_CROSSINGS = 20_000  # of a ring with itself; repair takes about a second then
_ROUNDING_BITS = -48  # of 52 that a number has
_RETRACED = 1e-12  # share of a ring's length: noding alone changes less
_STRAIGHT = 1e-12  # of a corner's sides: a turn of less than this is float noise


class Defect(Enum):
    """What a repair met in a drawn outline."""

    SELF_CROSSING = "self-crossing"  # points where rings cross or touch themselves or one another
    SPIKE = "spike"  # the pen went out and came back the same way
    DUPLICATE_RING = "duplicate ring"  # the same ring twice, or one drawn wholly over itself
    MISPLACED_RING = "misplaced ring"  # a hole outside its shell or in another hole, a part within another
    COLLAPSED_RING = "collapsed ring"  # one point, two, or all on a line: covers nothing
    SLIVER = "sliver"  # a part too small to be meant, dropped
    SEAM = "seam"  # a border with a neighbour that was drawn to touch, joined
    TINY_HOLE = "tiny hole"  # a hole too small to be meant, filled


@dataclass(frozen=True, slots=True)
class Repaired:
    """A drawn outline, the area that stands for it, and why the two differ.

    Parameters
    ----------
    drawn
        As the file holds it; never changed.
    area
        Valid; what rasters and measurements use.
    drawn_px2
        Area of the drawing by the even-odd rule, level-0 px².
    defects
        How many of each kind were repaired; empty where the drawing was sound.
    """

    drawn: BaseGeometry
    area: MultiPolygon
    drawn_px2: float
    defects: Mapping[Defect, int] = field(default_factory=dict)

    @property
    def area_px2(self) -> float:
        """Area after all repairs, level-0 px²; differs from ``drawn_px2`` only where the caller asked for it."""
        return float(self.area.area)


def repair(geometry: BaseGeometry) -> Repaired:
    """Return a drawn outline with its valid area (``repair_area``) and what had to be repaired.

    Raises
    ------
    InvalidGeometryError
        A coordinate is not finite, or a ring crosses itself more than 20,000 times.
    """
    area = repair_area(geometry)
    is_sound = _is_polygonal(geometry) and geometry.is_valid
    return Repaired(geometry, area, float(area.area), {} if is_sound else _defects(geometry))


def repair_area(geometry: BaseGeometry) -> MultiPolygon:
    """Return the area that a drawn outline covers, as valid polygons.

    Each ring that crosses itself follows the even-odd rule, also where it runs along itself; holes are taken from
    their shell, also where they share an edge with it; several polygons cover what any of them covers. Spikes, lines
    and points are dropped. A ring drawn wholly over itself counts as drawn once. Empty where the outline has no area.

    Raises
    ------
    InvalidGeometryError
        A coordinate is not finite, or a ring crosses itself more than 20,000 times.
    """
    if geometry.is_valid and _is_polygonal(geometry):
        return MultiPolygon(_polygons(geometry))
    if not np.isfinite(shapely.get_coordinates(geometry)).all():
        raise InvalidGeometryError("an outline has coordinates that are not finite; correct or delete it")
    parts = [_repair_polygon(polygon) for polygon in _polygons(geometry)]
    return MultiPolygon(_polygons(shapely.union_all(parts) if len(parts) != 1 else parts[0]))


def repair_areas(geometries: Geometries) -> NDArray[np.object_]:
    """Return ``repair_area`` of each, except that a valid polygon stays the object that it is.

    Returns
    -------
    ndarray
        Of Polygon and MultiPolygon, shape (len(geometries),).

    Raises
    ------
    InvalidGeometryError
        A coordinate is not finite, or a ring crosses itself more than 20,000 times.
    """
    areas = as_array(geometries)
    kinds = shapely.get_type_id(areas)
    is_open = ~(np.isin(kinds, (_POLYGON, _MULTIPOLYGON)) & shapely.is_valid(areas))
    if not is_open.any():
        return areas
    is_ring = is_open & (kinds == _POLYGON) & (shapely.get_num_interior_rings(areas) == 0)
    is_ring[is_ring] = ~shapely.is_empty(areas[is_ring]) & _is_finite(areas[is_ring])
    areas[is_ring] = _ring_areas(shapely.get_exterior_ring(areas[is_ring]))
    for place in np.flatnonzero(is_open & ~is_ring):
        areas[place] = repair_area(areas[place])
    return areas


def _is_polygonal(geometry: BaseGeometry) -> bool:
    return isinstance(geometry, Polygon | MultiPolygon)


def _is_finite(geometries: NDArray[np.object_]) -> NDArray[np.bool_]:
    coordinates, place = shapely.get_coordinates(geometries, return_index=True)
    is_finite = np.ones(len(geometries), dtype=bool)
    is_finite[place[~np.isfinite(coordinates).all(axis=1)]] = False
    return is_finite


def _repair_polygon(polygon: BaseGeometry) -> BaseGeometry:
    if polygon.is_valid:
        return polygon
    shell, *holes = _ring_areas(shapely.get_rings(polygon))
    area: BaseGeometry = shapely.difference(shell, shapely.union_all(holes)) if holes else shell
    return area


def _ring_areas(rings: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return what each ring covers by the even-odd rule, as MultiPolygons, shape (len(rings),)."""
    outlines: NDArray[np.object_] = np.asarray(shapely.polygons(rings), dtype=object)
    is_open = ~shapely.is_valid(outlines)
    for ring in rings[is_open & (shapely.get_num_coordinates(rings) > _FEW_SIDES)]:
        _refuse_tangle(shapely.get_coordinates(ring))
    outlines[is_open] = _even_odd(rings[is_open])
    areas = _polygonal(outlines)
    for place in np.flatnonzero(is_open & shapely.is_empty(areas)).tolist():
        areas[place] = MultiPolygon(_polygons(shapely.make_valid(Polygon(rings[place]))))  # drawn wholly over itself
    return areas


def _refuse_tangle(ring: NDArray[np.float64]) -> None:
    """Refuse a ring whose repair would take minutes: nobody draws one, but a file may hold one.

    Counts the crossings of some sides, evenly chosen, with all; of rings of up to 2,000 sides every one.
    """
    start, end = ring[:-1], ring[1:]
    chosen = np.arange(0, len(start), max(1, len(start) ** 2 // _SIDE_PAIRS))
    found = 0
    for part in np.array_split(chosen, max(1, len(chosen) * len(start) // _PAIRS)):
        found += int(np.count_nonzero(_cross(start[part, None], end[part, None], start, end)))
    crossings = found * len(start) // max(1, len(chosen)) // 2
    if crossings > _MOST_CROSSINGS:
        raise InvalidGeometryError(f"an outline crosses itself some {crossings} times; draw it again or delete it")


def _cross(
    a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64], d: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Say which sides a–b and c–d cross within both."""
    apart = _side(a, b, c) * _side(a, b, d) < 0
    return np.asarray(apart & (_side(c, d, a) * _side(c, d, b) < 0), dtype=np.bool_)


def _side(a: NDArray[np.float64], b: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    way, there = b - a, point - a
    return np.asarray(np.sign(way[..., 0] * there[..., 1] - way[..., 1] * there[..., 0]))


def _even_odd(rings: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return the faces, of those into which each ring cuts the plane, that it goes round an odd number of times.

    Not ``make_valid``: that one makes one edge of two that coincide (wrong between two faces of a ring that runs along
    itself), and takes ten times as long.
    """
    with np.errstate(divide="ignore", invalid="ignore"):  # GEOS divides by what sides of 1e-272 pixels come to
        snapped = shapely.union_all(rings.reshape(-1, 1), grid_size=_grid_size(rings), axis=1)
    noded: NDArray[np.object_] = np.asarray(snapped, dtype=object)
    faces, place = shapely.get_parts(shapely.polygonize(noded.reshape(-1, 1)), return_index=True)
    is_odd = _is_crossed_odd(shapely.get_coordinates(shapely.point_on_surface(faces)), rings, place)
    areas = np.full(len(rings), MultiPolygon(), dtype=object)
    shapely.multipolygons(faces[is_odd], indices=place[is_odd], out=areas)
    # Only where two edges coincide can odd faces share one.
    is_doubled = _is_shorter(noded, rings)
    areas[is_doubled] = [shapely.union_all(shapely.get_parts(area)) for area in areas[is_doubled]]
    return areas


def _grid_size(rings: NDArray[np.object_]) -> float:
    """Return what corners and crossings are rounded to: a corner that lies on an edge but for rounding comes to do so.

    A power of two, 16 to 32 times what the largest coordinate is rounded to: at a million pixels 4e-9 of one.
    """
    largest = float(np.abs(shapely.get_coordinates(rings)).max(initial=1.0))
    return float(2.0 ** (math.ceil(math.log2(largest)) + _ROUNDING_BITS))


def _is_crossed_odd(
    points: NDArray[np.float64], rings: NDArray[np.object_], ring_of_point: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Say from which points a ray to the right crosses its ring an odd number of times."""
    vertices = shapely.get_coordinates(rings)
    sizes = shapely.get_num_coordinates(rings)
    edges = sizes[ring_of_point] - 1
    firsts = (np.cumsum(sizes) - sizes)[ring_of_point]
    is_odd = np.zeros(len(points), dtype=bool)
    for part in np.split(np.arange(len(points)), np.flatnonzero(np.diff(np.cumsum(edges) // _PAIRS)) + 1):
        point = np.repeat(part, edges[part])
        step = np.arange(len(point)) - np.repeat(np.cumsum(edges[part]) - edges[part], edges[part])
        start = firsts[point] + step
        (x, y), (x1, y1), (x2, y2) = points[point].T, vertices[start].T, vertices[start + 1].T
        is_met = (y1 > y) != (y2 > y)  # half-open: a vertex on the ray counts for one of its edges
        is_met &= x1 + (y - y1) * (x2 - x1) / np.where(is_met, y2 - y1, 1.0) > x
        is_odd[part] = (np.bincount(point[is_met], minlength=len(points)) % 2 == 1)[part]
    return is_odd


def _is_shorter(noded: NDArray[np.object_], rings: NDArray[np.object_]) -> NDArray[np.bool_]:
    return np.asarray(shapely.length(noded) < shapely.length(rings) * (1 - _RETRACED), dtype=np.bool_)


def _polygonal(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return the polygons of each as a MultiPolygon; lines and points that a repair leaves over are dropped."""
    parts, place = shapely.get_parts(geometries, return_index=True)
    parts, inner = shapely.get_parts(parts, return_index=True)
    is_polygon = (shapely.get_type_id(parts) == _POLYGON) & ~shapely.is_empty(parts)
    areas = np.full(len(geometries), MultiPolygon(), dtype=object)
    shapely.multipolygons(parts[is_polygon], indices=place[inner][is_polygon], out=areas)
    return areas


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


def _defects(geometry: BaseGeometry) -> dict[Defect, int]:
    drawn = shapely.get_rings(as_array(_polygons(geometry)))
    is_flat = shapely.is_empty(_ring_areas(drawn))
    rings = drawn[~is_flat]
    spikes = sum(_reversals(shapely.get_coordinates(ring)) for ring in rings)
    found = {
        Defect.COLLAPSED_RING: int(is_flat.sum()),
        Defect.DUPLICATE_RING: _duplicates(rings),
        Defect.SPIKE: spikes,
        Defect.SELF_CROSSING: _crossings(rings, spikes),
    }
    found = {defect: number for defect, number in found.items() if number}
    return found if found or geometry.is_valid else {Defect.MISPLACED_RING: 1}


def _reversals(ring: NDArray[np.float64]) -> int:
    """Return at how many corners of a ring the path goes straight back."""
    corners = ring[:-1][(ring[1:] != ring[:-1]).any(axis=1)]
    ahead = np.roll(corners, -1, axis=0) - corners
    behind = np.roll(ahead, 1, axis=0)
    size = np.hypot(*ahead.T) * np.hypot(*behind.T)
    turn = behind[:, 0] * ahead[:, 1] - behind[:, 1] * ahead[:, 0]
    return int(np.count_nonzero((np.abs(turn) <= _STRAIGHT * size) & ((ahead * behind).sum(axis=1) < 0)))


def _duplicates(rings: NDArray[np.object_]) -> int:
    shapes = np.unique(shapely.to_wkb(shapely.normalize(shapely.polygons(rings))))
    over_itself = int(np.count_nonzero(shapely.is_empty(_even_odd(rings))))
    return len(rings) - len(shapes) + over_itself


def _crossings(rings: NDArray[np.object_], spikes: int) -> int:
    """Return the points at which rings cross or touch; where they run together both ends count for one."""
    lines = shapely.get_parts(shapely.union_all(rings))
    ends = shapely.get_coordinates(shapely.get_point(lines, [[0], [-1]]))
    _, degree = np.unique(ends, axis=0, return_counts=True)
    forks = max(0, int(np.count_nonzero(degree == 3)) - spikes)  # a spike's foot is a fork as well
    return int(np.count_nonzero(degree > 3)) + (forks + 1) // 2
