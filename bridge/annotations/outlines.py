"""Whether two outlines are one drawing, whatever a format did to their numbers: one pair, or very many at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiLineString
from shapely.geometry.base import BaseGeometry

Geometries = Sequence[BaseGeometry] | NDArray[np.object_]

_POLYGON = int(shapely.GeometryType.POLYGON)
_ROUNDING_PX = 1e-6  # float noise of coordinates up to 10⁹ px: a shift of exactly the tolerance is within it
_BLOCK = 20_000  # pairs compared at once
_STARTS = 16  # vertices tried as the other ring's first; freehand at high zoom has hundreds within a pixel


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


def are_same_outlines(first: Geometries, second: Geometries, *, tolerance_px: float = 1.0) -> NDArray[np.bool_]:
    """Say of each pair what ``is_same_outline`` says of it, in a hundredth of its time for what a tool left alone.

    Returns
    -------
    ndarray
        bool, shape (len(first),).
    """
    shapes, others = as_array(first), as_array(second)
    tolerance = tolerance_px + _ROUNDING_PX
    same = _are_in_step(shapes, others, tolerance)
    is_apart = (np.abs(shapely.bounds(shapes) - shapely.bounds(others)) > tolerance).any(axis=1)
    for i in np.flatnonzero(~same & ~is_apart).tolist():
        same[i] = is_same_outline(shapes[i], others[i], tolerance_px=tolerance_px)
    return same


def match_outlines(
    first: NDArray[np.object_], second: NDArray[np.object_], pairs: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Return those of the pairs (places in first and second) that are one drawing, each place once, first come first.

    Pairs are compared in blocks, without the places that are gone: of n copies of one outline all n² are pairs.
    """
    used, others_used = np.zeros(len(first), dtype=bool), np.zeros(len(second), dtype=bool)
    matched = []
    for start in range(0, len(pairs), _BLOCK):
        i, j = np.array(pairs[start : start + _BLOCK]).T
        is_open = ~used[i] & ~others_used[j]
        i, j = i[is_open], j[is_open]
        is_same = are_same_outlines(first[i], second[j])
        for a, b in zip(i[is_same].tolist(), j[is_same].tolist(), strict=True):
            if not used[a] and not others_used[b]:
                used[a] = others_used[b] = True
                matched.append((a, b))
    return matched


def as_array(geometries: Geometries) -> NDArray[np.object_]:
    """Return the geometries as a new object array, shape (len(geometries),)."""
    array = np.empty(len(geometries), dtype=object)
    array[:] = geometries
    return array


def _are_in_step(first: NDArray[np.object_], second: NDArray[np.object_], tolerance: float) -> NDArray[np.bool_]:
    """Say of which pairs of hole-free polygons the vertices agree one by one from the first on, forward or back.

    No is no answer: the rings may start elsewhere.
    """
    same = np.zeros(len(first), dtype=bool)
    is_plain = np.ones(len(first), dtype=bool)
    for side in (first, second):
        is_plain &= (shapely.get_type_id(side) == _POLYGON) & (shapely.get_num_interior_rings(side) == 0)
    sizes = shapely.get_num_coordinates(first)
    places = np.flatnonzero(is_plain & (sizes > 0) & (sizes == shapely.get_num_coordinates(second)))
    if not len(places):
        return same
    a, b = (shapely.get_coordinates(side[places]) for side in (first, second))
    starts = np.cumsum(sizes[places]) - sizes[places]
    backward = np.repeat(2 * starts + sizes[places] - 1, sizes[places]) - np.arange(len(a))
    is_near = (np.hypot(*(a - other).T) <= tolerance for other in (b, b[backward]))
    same[places] = np.logical_or(*(np.logical_and.reduceat(near, starts) for near in is_near))
    return same


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
