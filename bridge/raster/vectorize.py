"""Label mask → polygons with holes, exactly; band by band where the whole doesn't fit into memory.

The inverse of burning: outlines run along pixel edges, pixels of a label are one polygon when they share an edge
(4-connected), and burning the polygons gives the mask back to the last pixel.

Only polygons that touch the seam between two bands wait for the next band; the parts of one are joined once, when no
part touches the newest seam any more, so that the work is linear in objects.

::

    band 1   ┌──┐  ┌──┐  done at once │ left open
    ─ seam ─ └──┘  │  │ ─────────────────────────
    band 2         └──┘               joined and done
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon

from bridge.annotations import IGNORE_LABEL
from bridge.coords import Window
from bridge.raster.masks import LabelMask
from bridge.raster.runs import IntArray, expand
from bridge.raster.trace import trace

_NOBODY = -1


def vectorize(mask: LabelMask, *, skip: Collection[int] = (0, IGNORE_LABEL)) -> list[tuple[int, Polygon]]:
    """Return the outlines of a label mask.

    Parameters
    ----------
    mask
        Any labels.
    skip
        Labels that get no polygons.

    Returns
    -------
    list of (label, Polygon)
        Valid, with holes, in level-0 pixels (grid × downsample); corners only, no vertex on a straight side.
    """
    return list(vectorize_bands([mask], skip=skip))


def vectorize_bands(
    bands: Iterable[LabelMask], *, skip: Collection[int] = (0, IGNORE_LABEL)
) -> Iterator[tuple[int, Polygon]]:
    """Yield the outlines of a mask that comes in bands, each as soon as no later band can change it.

    Memory is bounded by one band and the outlines that are still open.

    Parameters
    ----------
    bands
        Of one width, downsample and x; each begins where the one before ends. Any heights.
    skip
        Labels that get no polygons.

    Yields
    ------
    (label, Polygon)
        The same polygons as ``vectorize`` of the whole, in another order.

    Raises
    ------
    ValueError
        A band that doesn't continue the one before.
    """
    above: Window | None = None
    seam = _Seam()
    for band in bands:
        if above is not None:
            _check_continues(band.window, above)
        above = band.window
        done, seam = _advance(seam, _polygonize(band.labels, skip, above.x, above.y), above)
        yield from _to_level0(done, above.downsample)
    if above is not None:
        yield from _to_level0(seam.open, above.downsample)


@dataclass(frozen=True, slots=True)
class _Open:
    """One polygon, as its parts in the bands so far; grid pixels."""

    label: int
    parts: list[Polygon]


@dataclass(frozen=True, slots=True)
class _Seam:
    """What touches the lower edge of the newest band: the open polygons, and which of them owns each column."""

    open: list[_Open] = field(default_factory=list)
    owners: IntArray | None = None


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Polygons of one band, grid pixels, and the ends of their horizontal edges."""

    labels: list[int]
    polygons: NDArray[np.object_]
    edge_y: IntArray
    edge_left: IntArray
    edge_right: IntArray
    edge_piece: IntArray

    def owners_along(self, y: int, window: Window) -> IntArray:
        """Return for each column which piece has an edge at y there, or −1."""
        owners = np.full(window.width, _NOBODY, dtype=np.int64)
        at = np.flatnonzero(self.edge_y == y)
        lengths = self.edge_right[at] - self.edge_left[at]
        owners[expand(self.edge_left[at] - window.x, lengths)] = np.repeat(self.edge_piece[at], lengths)
        return owners


def _polygonize(labels: NDArray[np.uint8], skip: Collection[int], x: int, y: int) -> _Pieces:
    wanted = np.ones(256, dtype=bool)
    wanted[list(skip)] = False
    found = trace(labels, wanted)
    vertices = found.vertices + np.array([x, y])
    stops = found.ring_stops, found.polygon_stops
    polygons = shapely.from_ragged_array(shapely.GeometryType.POLYGON, vertices, stops)
    return _Pieces(found.labels.tolist(), polygons, *_level_edges(vertices, *stops))


def _level_edges(
    vertices: NDArray[np.float64], ring_stops: IntArray, polygon_stops: IntArray
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Return y, left, right and polygon of every horizontal edge."""
    is_inner = np.ones(len(vertices), dtype=bool)
    is_inner[ring_stops[1:] - 1] = False  # from the last vertex of a ring no edge starts
    start = np.flatnonzero(is_inner[:-1] & (vertices[:-1, 1] == vertices[1:, 1])) if len(vertices) else ring_stops[:0]
    first, last = vertices[start, 0], vertices[start + 1, 0]
    polygon = np.searchsorted(ring_stops[polygon_stops], start, side="right") - 1
    ends = np.minimum(first, last), np.maximum(first, last)
    return vertices[start, 1].astype(np.int64), ends[0].astype(np.int64), ends[1].astype(np.int64), polygon


def _advance(seam: _Seam, pieces: _Pieces, window: Window) -> tuple[list[_Open], _Seam]:
    """Join a band's pieces to what was open above; return what is closed now, and the new seam."""
    above = [*seam.open, *(_Open(label, [p]) for label, p in zip(pieces.labels, pieces.polygons, strict=True))]
    group = _groups(len(above), _contacts(seam, pieces, window))
    members: dict[int, list[_Open]] = defaultdict(list)
    for node, root in enumerate(group):
        members[root].append(above[node])
    owners = pieces.owners_along(window.bottom, window)
    is_owned = owners != _NOBODY
    roots = np.array(group, dtype=np.int64)[owners[is_owned] + len(seam.open)]
    still_open, position = np.unique(roots, return_inverse=True)
    owners[is_owned] = position
    kept = [_merged(members.pop(int(root))) for root in still_open]
    return [_merged(parts) for parts in members.values()], _Seam(kept, owners)


def _contacts(seam: _Seam, pieces: _Pieces, window: Window) -> Iterator[tuple[int, int]]:
    """Yield which open polygon goes on in which piece: equal labels on both sides of the seam."""
    if seam.owners is None or not seam.open:
        return
    below = pieces.owners_along(window.y, window)
    both = (seam.owners != _NOBODY) & (below != _NOBODY)
    for upper, lower in np.unique(np.stack([seam.owners[both], below[both]]), axis=1).T.tolist():
        if seam.open[upper].label == pieces.labels[lower]:
            yield upper, lower + len(seam.open)


def _groups(count: int, contacts: Iterable[tuple[int, int]]) -> list[int]:
    """Return the root of each node (union–find with path halving)."""
    parent = list(range(count))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for first, second in contacts:
        parent[root(second)] = root(first)
    return [root(node) for node in range(count)]


def _merged(members: Sequence[_Open]) -> _Open:
    if len(members) == 1:
        return members[0]
    return _Open(members[0].label, list(chain.from_iterable(member.parts for member in members)))


def _to_level0(closed: Sequence[_Open], downsample: float) -> Iterator[tuple[int, Polygon]]:
    whole = np.array([_joined(one.parts) for one in closed], dtype=object)
    if downsample != 1:
        whole = shapely.transform(whole, lambda vertices: vertices * downsample)
    yield from zip((one.label for one in closed), whole.tolist(), strict=True)


def _joined(parts: Sequence[Polygon]) -> Polygon:
    """Unite the parts of one polygon.

    A hole of a part never touches a seam (what is open to a seam is no hole yet), so that shells alone are united.
    """
    if len(parts) == 1:
        return parts[0]
    rings, part = shapely.get_rings(np.array(parts, dtype=object), return_index=True)
    is_shell = np.diff(part, prepend=_NOBODY) > 0
    whole = shapely.union_all(shapely.polygons(rings[is_shell]))
    assert isinstance(whole, Polygon)  # the parts share edges
    new_holes = [_corners(hole.coords) for hole in whole.interiors]
    return Polygon(_corners(whole.exterior.coords), [*new_holes, *rings[~is_shell]])


def _corners(ring: Iterable[tuple[float, ...]]) -> NDArray[np.float64]:
    """Drop the vertices on straight sides, which joining leaves where parts met."""
    vertices = np.asarray(ring)[:-1]
    level = vertices == np.roll(vertices, 1, axis=0)
    goes_on = level & np.roll(level, -1, axis=0)  # the same x (or y) as before and after
    corners: NDArray[np.float64] = vertices[~goes_on.any(axis=1)]
    return corners


def _check_continues(band: Window, above: Window) -> None:
    if (band.x, band.width, band.downsample, band.y) != (above.x, above.width, above.downsample, above.bottom):
        raise ValueError(f"{band} doesn't continue {above}; bands need one width and follow each other downwards")
