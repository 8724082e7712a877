"""Staircases → outlines that a person corrects in a few clicks; and how many pixels that changed."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from bridge.coords import Window
from bridge.raster.borders import Borders, Flags
from bridge.raster.runs import IntArray, expand
from bridge.raster.shape_index import ShapeIndex

logger = logging.getLogger(__name__)

_BLOCK_PX = 4096
_MAX_HALVINGS = 4
_MANY_HOLES = 64

GeometryArray = NDArray[np.object_]


def simplify_outlines(polygons: Sequence[tuple[int, Polygon]], *, tolerance_px: float) -> list[tuple[int, Polygon]]:
    """Simplify the outlines of a mask, all together, so that neighbours keep one common border.

    Visvalingam–Whyatt on the edges of the coverage (GEOS ``CoverageSimplifier``), as coarse as the tolerance allows.

    Parameters
    ----------
    polygons
        (label, polygon) as ``vectorize`` returns them: sides along the axes, no overlaps.
    tolerance_px
        Level-0 pixels: the Hausdorff distance between an outline before and after is at most this. 0 changes nothing.

    Returns
    -------
    list of (label, Polygon)
        As many, in the same order: valid, without gaps or overlaps between neighbours. Polygons that overlap, which
        no mask gives, come back as they are, and the log says so.

    Raises
    ------
    ValueError
        The tolerance is negative.

    Notes
    -----
    A corner goes when the triangle that it makes with its neighbours is smaller than the square of the tolerance; where
    that would take a thin spur longer than the tolerance, of half of it, and so on. The bound is proved, not sampled:
    the vertices of the result are vertices of the outline, and if those between two of them lie within a distance of
    the side that replaces them, so do, both ways, all points.
    """
    if not tolerance_px >= 0:
        raise ValueError(f"a tolerance is 0 or more, got {tolerance_px}")
    if not polygons or tolerance_px == 0:
        return list(polygons)
    coverage = _edge_matched(np.array([polygon for _, polygon in polygons], dtype=object))
    simple = _simplified(coverage, tolerance_px)
    if simple is None:
        logger.warning(
            "%d outlines stay as they are: polygons overlap, or simplifying would make some invalid", len(polygons)
        )
        return list(polygons)
    return list(zip((label for label, _ in polygons), simple.tolist(), strict=True))


def changed_pixels(
    before: Sequence[tuple[int, BaseGeometry]], after: Sequence[tuple[int, BaseGeometry]], window: Window
) -> int:
    """Count the pixels of a window whose label differs between two lists of (label, geometry).

    Later shapes overwrite earlier ones; outside all shapes the label is 0.
    """
    old, new = (ShapeIndex([(g, label) for label, g in shapes], window.downsample) for shapes in (before, after))
    return sum(int(np.count_nonzero(old.burn(block) != new.burn(block))) for block in window.tiles(_BLOCK_PX))


def _simplified(coverage: GeometryArray, tolerance: float) -> GeometryArray | None:
    """Return the coverage with as few vertices as the tolerance allows, with more where that would not be sound.

    None where even all of them aren't.
    """
    borders = Borders.of(coverage)
    keep = np.zeros(borders.places.count, np.bool_)  # per corner, so that neighbours stay matched
    rings = np.ones(len(borders.rings), np.bool_)
    halvings = np.zeros(len(coverage), np.int64)
    while rings.any():
        for times in np.unique(halvings[borders.polygon[rings]]).tolist():
            _keep_needed(borders, keep, rings & (halvings[borders.polygon] == times), tolerance / 2**times, times)
        # A corner kept for one outline cuts a stretch of another one that touches it there, and may move it away.
        while (is_far := _is_far(borders.vertices, borders.ring, keep[borders.corner], tolerance)).any():
            keep |= _of_corners(borders, is_far)
        simple = _without(coverage, keep[borders.corner])
        is_sound = _is_sound(simple)
        if is_sound.all():
            return simple
        is_asked = _to_keep_more_of(simple, ~is_sound, halvings > _MAX_HALVINGS)
        halvings[is_asked] += 1  # a spur that stays may cross what went beside it
        rings = is_asked[borders.polygon]
    return None


def _to_keep_more_of(simple: GeometryArray, is_unsound: Flags, is_whole: Flags) -> Flags:
    """Say of which polygons more corners are needed: not of those that are whole, but of all that reach one.

    GEOS finds fault with one of two polygons only where a corner of it lies on a side of the other.
    """
    is_asked = is_unsound.copy()
    is_asked[shapely.STRtree(simple).query(simple[is_unsound & is_whole], predicate="intersects")[1]] = True
    return np.asarray(is_asked & ~is_whole)


def _keep_needed(borders: Borders, keep: Flags, rings: Flags, tolerance: float, times: int) -> None:
    """Add to the corners that are kept what some rings need for a tolerance; all of theirs after some halvings."""
    is_asked = rings[borders.ring]
    if times > _MAX_HALVINGS:
        keep[borders.corner[is_asked]] = True
        return
    if times:  # what is kept already was enough for a larger tolerance, and yet not sound
        keep |= borders.kept_by(tolerance, rings) & _of_corners(borders, is_asked)
    for halving in range(_MAX_HALVINGS):
        is_far = is_asked & _is_far(borders.vertices, borders.ring, keep[borders.corner], tolerance)
        if not is_far.any():
            return
        left = borders.kept_by(tolerance / 2**halving, _of_rings(borders, is_far))
        keep |= left & _of_corners(borders, is_far)


def _of_corners(borders: Borders, vertices: Flags) -> Flags:
    flags = np.zeros(borders.places.count, np.bool_)
    flags[borders.corner[vertices]] = True
    return flags


def _of_rings(borders: Borders, vertices: Flags) -> Flags:
    flags = np.zeros(len(borders.rings), np.bool_)
    flags[borders.ring[vertices]] = True
    return flags


def _is_far(
    vertices: NDArray[np.float64], ring: IntArray, keep: NDArray[np.bool_], tolerance: float
) -> NDArray[np.bool_]:
    """Say which vertices lie on a stretch of which one is farther than the tolerance from the side that replaces it.

    Also all of a ring of which fewer than three are kept.
    """
    counts = np.bincount(ring[keep], minlength=int(ring[-1]) + 1)
    is_far = counts[ring] < 3
    kept, gone = np.flatnonzero(keep), np.flatnonzero(~keep & ~is_far)
    if not len(gone):
        return is_far
    stops = np.cumsum(counts)[ring[gone]]
    firsts, after = stops - counts[ring[gone]], np.searchsorted(kept, gone)
    start = kept[np.where(after > firsts, after, stops) - 1]  # a ring's last side ends at its first vertex
    stop = kept[np.where(after < stops, after, firsts)]
    distance = _distance(vertices[gone], vertices[start], vertices[stop])
    is_far[gone] = np.isin(start, start[distance > tolerance])
    return is_far


def _without(coverage: GeometryArray, keep: NDArray[np.bool_]) -> GeometryArray:
    _, vertices, stops = shapely.to_ragged_array(coverage)
    ring_stops, polygon_stops = (s.astype(np.int64) for s in stops)
    sizes = np.diff(ring_stops)
    is_closing = np.zeros(len(vertices), dtype=bool)
    is_closing[ring_stops[1:] - 1] = True
    all_kept = np.zeros(len(vertices), dtype=bool)
    all_kept[~is_closing] = keep
    number = np.add.reduceat(all_kept.astype(np.int64), ring_stops[:-1]) if len(sizes) else sizes
    left = vertices[all_kept]
    starts = np.cumsum(number) - number
    closed = np.insert(left, starts + number, left[starts], axis=0)
    new_stops = np.append(0, np.cumsum(number + 1))
    whole: GeometryArray = shapely.from_ragged_array(shapely.GeometryType.POLYGON, closed, (new_stops, polygon_stops))
    return whole


def _distance(
    points: NDArray[np.float64], start: NDArray[np.float64], stop: NDArray[np.float64]
) -> NDArray[np.float64]:
    side = stop - start
    length = (side**2).sum(axis=1)
    share = ((points - start) * side).sum(axis=1) / np.where(length > 0, length, 1)
    nearest = start + np.clip(share, 0, 1)[:, None] * side
    return np.asarray(np.hypot(*(points - nearest).T), dtype=np.float64)


def _is_sound(coverage: GeometryArray) -> Flags:
    """Say of each polygon whether it is valid, and neither overlaps others nor leaves a gap to them."""
    is_polygon = shapely.get_type_id(coverage) == shapely.GeometryType.POLYGON
    is_whole = is_polygon & ~shapely.is_empty(coverage) & shapely.is_valid(coverage)
    if not is_whole.all():
        return np.asarray(is_whole)
    is_sheet = shapely.get_num_interior_rings(coverage) > _MANY_HOLES
    islands = coverage[~is_sheet]
    if not shapely.coverage_is_valid(islands):
        is_whole[~is_sheet] = shapely.is_empty(shapely.coverage_invalid_edges(islands))
    if is_sheet.any():
        tree = shapely.STRtree(coverage)
        for sheet in np.flatnonzero(is_sheet).tolist():
            is_whole[_reaching_into(coverage, sheet, tree)] = False
    return np.asarray(is_whole)


def _reaching_into(coverage: GeometryArray, sheet: int, tree: shapely.STRtree) -> IntArray:
    """Return the polygons that overlap one with many holes, and it among them; none if all is well.

    GEOS' own check of a coverage goes through all the rings of both for each pair of neighbours.
    """
    shell, *holes = map(Polygon, shapely.get_rings(coverage[sheet]))
    inside = tree.query(np.array(holes, dtype=object), predicate="covers")[1]
    near = np.setdiff1d(tree.query(shell, predicate="intersects"), [*inside, sheet])
    bad = near[~shapely.touches(shell, coverage[near])]
    return np.append(bad, sheet).astype(np.int64) if bad.size else bad


def _edge_matched(polygons: GeometryArray) -> GeometryArray:
    """Insert into every side the corners of others that lie on it: a coverage shares vertices, not only lines."""
    _, vertices, stops = shapely.to_ragged_array(polygons)
    ring_stops, polygon_stops = (s.astype(np.int64) for s in stops)
    counts, inserted = np.zeros(len(vertices), dtype=np.int64), []
    for axis in (0, 1):
        edges, number, between = _corners_between(vertices, ring_stops, axis)
        counts[edges] = number
        inserted.append((edges, number, between))
    place = np.arange(len(vertices)) + np.cumsum(counts) - counts
    matched = np.empty((len(vertices) + int(counts.sum()), 2))
    matched[place] = vertices
    for edges, number, between in inserted:
        matched[expand(place[edges] + 1, number)] = between
    new_stops = np.append(place, len(matched))[ring_stops]
    whole: GeometryArray = shapely.from_ragged_array(shapely.GeometryType.POLYGON, matched, (new_stops, polygon_stops))
    return whole


def _corners_between(
    vertices: NDArray[np.float64], ring_stops: IntArray, axis: int
) -> tuple[IntArray, IntArray, NDArray[np.float64]]:
    """Return the edges along one axis (by their first vertex), how many corners lie within each, and those corners."""
    along_values, along = np.unique(vertices[:, axis], return_inverse=True)
    across_values, across = np.unique(vertices[:, 1 - axis], return_inverse=True)
    size = len(along_values)
    corners = np.sort(across * size + along)  # ``numpy.unique`` without an inverse hashes: many times as slow
    corners = corners[np.append(True, corners[1:] != corners[:-1])]
    is_edge = across == np.roll(across, -1)
    is_edge[ring_stops[1:] - 1] = False  # from the last vertex of a ring no edge starts
    edges = np.flatnonzero(is_edge)
    line, start, stop = across[edges] * size, along[edges], along[edges + 1]
    low = np.searchsorted(corners, line + np.minimum(start, stop), side="right")
    high = np.searchsorted(corners, line + np.maximum(start, stop), side="left")
    number = np.maximum(high - low, 0)
    step = expand(np.zeros_like(number), number)
    found = corners[
        np.where(np.repeat(start < stop, number), np.repeat(low, number) + step, np.repeat(high, number) - 1 - step)
    ]
    between = np.empty((len(found), 2))
    between[:, axis], between[:, 1 - axis] = along_values[found % size], across_values[found // size]
    return edges, number, between
