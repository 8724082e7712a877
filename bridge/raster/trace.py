"""Label array → outlines along pixel edges, without a loop over pixels: only where labels change is looked at.

The edges of `bridge.raster.lattice` are followed round, each to the next. Where two pixels that touch at a corner only
are of one area, its outline would come by the corner twice, and is cut there into a shell and a hole that touch.

Why not ``rasterio.features.shapes``. It gives the same polygons, vertex for vertex (the tests compare them), but visits
every pixel, and hands over every vertex as a Python tuple: 8 s for a slide's mask of 20,000 × 20,000 pixels, of which
nearly all lie inside an area or outside all; this takes half a second. ``scripts/bench/raster.py`` measures both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.raster.lattice import NOTHING, Corners, Edges, Flags, changed_places, links
from bridge.raster.runs import IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Outlines:
    """Polygons as arrays, in the order of their first corner, row by row.

    Parameters
    ----------
    labels
        One per polygon.
    vertices
        float64, (n, 2), (x, y): corners only. Each ring begins with its first corner, goes down from there if it is a
        shell and right if it is a hole, and ends with that corner again.
    ring_stops
        Offsets into the vertices, one more than there are rings.
    polygon_stops
        Offsets into the rings, one more than there are polygons; the shell comes first, holes in order of their first
        corner.
    """

    labels: IntArray
    vertices: NDArray[np.float64]
    ring_stops: IntArray
    polygon_stops: IntArray


def trace(labels: NDArray[np.uint8], wanted: Flags) -> Outlines:
    """Return the outlines of all 4-connected areas of an array.

    Parameters
    ----------
    labels
        uint8, [y, x].
    wanted
        Shape (256,): which labels have outlines.
    """
    changes = changed_places(labels, wanted)
    corners = Corners.find(labels, wanted, changes)
    level, upright = Edges.level(corners), Edges.upright(corners)
    rings = _Rings.walk(*_cut_at_touches(*links(corners, level, upright), level))
    return _outlines(labels, changes, corners, level, upright, rings)


@dataclass(frozen=True, slots=True, eq=False)
class _Rings:
    """Closed walks of level edges, each followed by an upright one.

    Parameters
    ----------
    after_level
        Which upright edge follows each of them.
    order
        Level edges, ring after ring.
    stops
        Offsets into ``order``, one more than there are rings.
    """

    after_level: IntArray
    order: IntArray
    stops: IntArray

    @classmethod
    def walk(cls, after_level: IntArray, after_upright: IntArray) -> _Rings:
        """Follow the links from each edge that no ring has yet."""
        following: list[int] = after_upright[after_level].tolist()
        is_new = bytearray(b"\x01") * len(following)
        order: list[int] = []
        stops = [0]
        for first in range(len(following)):
            if is_new[first]:
                edge = first
                while is_new[edge]:
                    is_new[edge] = 0
                    order.append(edge)
                    edge = following[edge]
                stops.append(len(order))
        return cls(after_level, np.array(order, np.int64), np.array(stops, np.int64))


def _cut_at_touches(after_level: IntArray, after_upright: IntArray, level: Edges) -> tuple[IntArray, IntArray]:
    """Cut every ring that comes by a corner twice, so that it becomes two that touch there.

    Level edges begin there both times, or end there both times; what follows them is exchanged. The loops of a ring lie
    in one another or side by side, never across (the area between would be apart), so that each exchange cuts.
    """
    ending, starting = _twice(level.stop), _twice(level.start)
    if not len(ending) and not len(starting):
        return after_level, after_upright
    ring = _least_of_ring(after_upright[after_level])
    ending, starting = (pairs[ring[pairs[:, 0]] == ring[pairs[:, 1]]] for pairs in (ending, starting))
    before = np.empty_like(after_upright)
    before[after_upright] = np.arange(len(after_upright))
    new_level, new_upright = after_level.copy(), after_upright.copy()
    new_level[ending] = after_level[ending[:, ::-1]]
    new_upright[before[starting]] = starting[:, ::-1]
    return new_level, new_upright


def _least_of_ring(following: IntArray) -> IntArray:
    """Return for each edge the least number in its ring; each round looks twice as far ahead."""
    least = np.arange(len(following))
    while True:
        further = np.minimum(least, least[following])
        if np.array_equal(further, least):
            return least
        least, following = further, following[following]


def _twice(corner: IntArray) -> IntArray:
    """Return the pairs of edges that have a corner in common, shape (pairs, 2)."""
    order = np.argsort(corner, kind="stable")
    first = np.flatnonzero(np.diff(corner[order]) == 0)
    return np.stack([order[first], order[first + 1]], axis=1)


def _outlines(
    labels: NDArray[np.uint8], changes: IntArray, at: Corners, level: Edges, upright: Edges, rings: _Rings
) -> Outlines:
    """Put every hole into its shell, and the corners of all into one array."""
    if not len(rings.order):
        return Outlines(rings.order, np.zeros((0, 2)), rings.stops, rings.stops)
    corners = np.stack([level.start[rings.order], level.stop[rings.order]], axis=1).ravel()
    starts, sizes = 2 * rings.stops[:-1], 2 * np.diff(rings.stops)
    place = _place_of_least(corners, starts)
    shell = _shells(labels.shape[1] + 1, changes, at, upright, rings)
    by_polygon = np.lexsort((corners[place], shell))
    firsts = np.flatnonzero(np.diff(shell[by_polygon], prepend=NOTHING))
    closed, stops = _closed(corners, *(array[by_polygon] for array in (starts, sizes, place)))
    names = at.d[closed[stops[firsts]]].astype(np.int64)  # a shell's first corner is the upper left one of a pixel
    vertices = np.stack([at.x[closed], at.y[closed]], axis=1).astype(np.float64)
    return Outlines(names, vertices, stops, np.append(firsts, len(sizes)))


def _place_of_least(values: IntArray, starts: IntArray) -> IntArray:
    """Return where in the array the least value of each run lies."""
    count = len(values)
    return np.asarray(np.minimum.reduceat(values * count + np.arange(count), starts) % count)


def _closed(corners: IntArray, starts: IntArray, sizes: IntArray, place: IntArray) -> tuple[IntArray, IntArray]:
    """Return rings that begin and end with the corner at ``place``, the other way round, and their offsets."""
    stops = np.concatenate([[0], np.cumsum(sizes + 1)])
    begin, size, first = (np.repeat(array, sizes + 1) for array in (starts, sizes, place))
    step = np.arange(stops[-1]) - np.repeat(stops[:-1], sizes + 1)
    return corners[begin + (first - begin - step) % size], stops


def _shells(stride: int, changes: IntArray, at: Corners, upright: Edges, rings: _Rings) -> IntArray:
    """Return for each ring the number of the shell that it lies in, a shell's own for a shell.

    From a hole's leftmost edge one goes left through its area until that ends: on the shell, or on a hole further left.
    """
    follower = rings.after_level[rings.order]  # the upright edges, ring after ring
    x, y = at.x[upright.start[follower]], at.y[upright.start[follower]]
    count = len(follower)
    leftmost = _place_of_least(x, rings.stops[:-1])
    is_hole = follower[leftmost] < upright.count  # there its area lies on the left, so that the edge goes down
    left_of, row = x[leftmost[is_hole]] - 1, y[leftmost[is_hole]]
    begins = changes[np.searchsorted(changes, row * stride + left_of, side="right") - 1] - row * stride
    up = upright.stop[upright.count :]  # column by column, row by row
    height = int(at.y.max()) + 1
    found = np.searchsorted(at.x[up] * height + at.y[up], begins * height + row, side="right") - 1
    ring = np.empty(count, np.int64)
    ring[follower] = np.repeat(np.arange(len(leftmost)), np.diff(rings.stops))
    shell = np.arange(len(leftmost))
    shell[is_hole] = ring[upright.count + found]
    while (further := shell[shell]).tobytes() != shell.tobytes():
        shell = further
    return shell
