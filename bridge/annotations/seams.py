"""Small things that a hand leaves: seams between neighbours, slivers, tiny holes; each step only where asked for.

All take repaired outlines and keep what was drawn beside the result.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from bridge.annotations.geometry import Defect, Repaired, repair_areas
from bridge.annotations.outlines import as_array
from bridge.coords import um2_to_px2, um_to_px

logger = logging.getLogger(__name__)

_SLACK = 1.001  # a corridor's round ends are drawn inside the circle; a shift of exactly the tolerance is within it
_WHOLE = 1 - 1e-9  # of the tolerance: what is closed mustn't be found open again by rounding

Pairs = NDArray[np.int64]


def without_slivers(item: Repaired, *, least_um2: float, mpp: tuple[float, float]) -> Repaired:
    """Return the outline without parts smaller than ``least_um2``; its largest part always stays."""
    parts = shapely.get_parts(item.area)
    sizes = shapely.area(parts)
    keeps = (sizes >= _least_px2(least_um2, mpp)) | (sizes == sizes.max(initial=0))
    return _changed(item, MultiPolygon(parts[keeps].tolist()), Defect.SLIVER, int(np.count_nonzero(~keeps)))


def without_tiny_holes(item: Repaired, *, least_um2: float, mpp: tuple[float, float]) -> Repaired:
    """Return the outline with the holes filled that are smaller than ``least_um2``, and what lies in them."""
    least = _least_px2(least_um2, mpp)
    holes = [ring for part in item.area.geoms for ring in part.interiors if Polygon(ring).area < least]
    if not holes:
        return item
    # By union: an island in the hole, a part of its own, must not lie in the filled area twice.
    filled = shapely.union_all([item.area, *map(Polygon, holes)])
    return _changed(item, _as_multi(filled), Defect.TINY_HOLE, len(holes))


def snap_neighbours(
    items: Sequence[Repaired], *, tolerance_um: float, mpp: tuple[float, float]
) -> tuple[Repaired, ...]:
    """Join the borders of outlines that were drawn to touch.

    Gaps and overlaps no wider than the tolerance go; overlaps that are wider were meant, and stay. The result doesn't
    depend on the order of the outlines.

    Parameters
    ----------
    tolerance_um
        No border moves farther, so that no area changes by more than the length of its border times this. 0 changes
        nothing.

    Returns
    -------
    tuple of Repaired
        In the same order. Neighbours of which one would move farther, break or vanish stay as they were; the log says
        how many.

    Raises
    ------
    ValueError
        The tolerance is negative.

    Notes
    -----
    GEOS ``CoverageCleaner``, on each group of neighbours; where a group holds outlines that overlap by more, or can't
    be joined as a whole, on one pair after another.
    """
    if not tolerance_um >= 0:
        raise ValueError(f"a tolerance is 0 or more, got {tolerance_um}")
    tolerance = um_to_px(tolerance_um, mpp)
    before = as_array([item.area for item in items])
    if tolerance == 0 or not len(before):
        return tuple(items)
    after, closed = before.copy(), np.zeros(len(before), dtype=np.int64)
    for group, seams in _groups(before, _seams(before, tolerance)):
        _close(before, after, closed, group, seams, tolerance)
    return tuple(
        _changed(item, area, Defect.SEAM, int(number)) for item, area, number in zip(items, after, closed, strict=True)
    )


def _close(
    before: NDArray[np.object_],
    after: NDArray[np.object_],
    closed: Pairs,
    group: Pairs,
    seams: Pairs,
    tolerance: float,
) -> None:
    members = before[group]
    joined = None if _has_deep_overlap(members, tolerance) else _joined(members, members, tolerance)
    if joined is not None:
        after[group] = joined
        np.add.at(closed, seams.ravel(), 1)
        return
    failed = 0
    for pair in seams.T:
        joined = _joined(after[pair], before[pair], tolerance)
        if joined is None:
            failed += 1
            continue
        after[pair] = joined
        closed[pair] += 1
    if failed:
        logger.warning("%d of %d seams stay open: a border would move farther than allowed", failed, len(seams.T))


def _seams(areas: NDArray[np.object_], tolerance: float) -> Pairs:
    """Return the pairs, shape (2, n), that are near, overlap by no more than the tolerance, and don't fit yet."""
    i, j = shapely.STRtree(areas).query(areas, predicate="dwithin", distance=tolerance)
    i, j = i[i < j], j[i < j]
    is_open = np.array([not _fits(areas[[a, b]], tolerance) for a, b in zip(i, j, strict=True)], dtype=bool)
    i, j = i[is_open], j[is_open]
    is_thin = _is_thin(shapely.intersection(areas[i], areas[j]), tolerance)
    return np.stack([i[is_thin], j[is_thin]]).astype(np.int64)


def _fits(pair: NDArray[np.object_], tolerance: float) -> bool:
    return bool(shapely.coverage_is_valid(pair, gap_width=tolerance * _WHOLE)) and bool(shapely.touches(*pair))


def _groups(areas: NDArray[np.object_], seams: Pairs) -> Iterator[tuple[Pairs, Pairs]]:
    """Yield the places of each group of neighbours, in an order of their own, with their seams."""
    if not seams.shape[1]:
        return
    size = len(areas)
    graph = coo_array((np.ones(seams.shape[1], dtype=bool), (seams[0], seams[1])), shape=(size, size))
    _, group_of = connected_components(graph, directed=False)
    shapes = shapely.to_wkb(shapely.normalize(areas))
    members, their_seams = np.argsort(group_of, kind="stable"), np.argsort(group_of[seams[0]], kind="stable")
    numbers = np.unique(group_of[seams[0]])
    starts, stops = (np.searchsorted(group_of[members], numbers, side=side) for side in ("left", "right"))
    first, last = (np.searchsorted(group_of[seams[0]][their_seams], numbers, side=side) for side in ("left", "right"))
    for start, stop, low, high in zip(starts, stops, first, last, strict=True):
        group = np.array(sorted(members[start:stop], key=lambda place: bytes(shapes[place])), dtype=np.int64)
        rank = {int(place): number for number, place in enumerate(group)}
        pairs = sorted(sorted((int(i), int(j)), key=rank.__getitem__) for i, j in seams[:, their_seams[low:high]].T)
        pairs.sort(key=lambda pair: [rank[place] for place in pair])
        yield group, np.array(pairs, dtype=np.int64).T


def _joined(areas: NDArray[np.object_], before: NDArray[np.object_], tolerance: float) -> NDArray[np.object_] | None:
    """Return the areas without gaps and overlaps, or None where that can't be had within the tolerance."""
    clean = shapely.coverage_clean  # type: ignore[attr-defined]  # the stubs are of shapely 2.1
    joined = repair_areas(clean(areas, gap_width=tolerance, snapping_distance=tolerance))
    joined[:] = [_as_multi(area) for area in joined]
    is_close = _is_within(before, joined, tolerance) and _is_within(joined, before, tolerance)
    return joined if is_close and not shapely.is_empty(joined).any() else None


def _is_within(first: NDArray[np.object_], second: NDArray[np.object_], tolerance: float) -> bool:
    corridor = shapely.buffer(shapely.boundary(second), tolerance * _SLACK, quad_segs=32)
    return bool(shapely.covers(corridor, shapely.boundary(first)).all())


def _has_deep_overlap(areas: NDArray[np.object_], tolerance: float) -> bool:
    i, j = shapely.STRtree(areas).query(areas, predicate="intersects")
    shared = shapely.intersection(areas[i[i < j]], areas[j[i < j]])
    return not bool(_is_thin(shared, tolerance).all())


def _is_thin(areas: NDArray[np.object_], tolerance: float) -> NDArray[np.bool_]:
    return np.asarray(shapely.is_empty(shapely.buffer(areas, -tolerance / 2)), dtype=np.bool_)


def _changed(item: Repaired, area: MultiPolygon, defect: Defect, number: int) -> Repaired:
    if not number:
        return item
    return replace(item, area=area, defects={**item.defects, defect: item.defects.get(defect, 0) + number})


def _as_multi(area: BaseGeometry) -> MultiPolygon:
    return MultiPolygon([part for part in shapely.get_parts(area) if not part.is_empty])


def _least_px2(least_um2: float, mpp: tuple[float, float]) -> float:
    if not least_um2 >= 0:
        raise ValueError(f"a smallest area is 0 or more, got {least_um2}")
    return um2_to_px2(least_um2, mpp)
