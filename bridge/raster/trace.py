"""Label array → outlines along pixel edges, without a loop over pixels: only where labels change is looked at.

Around each lattice vertex lie four pixels::

    a │ b        An edge runs along a pixel of its label, which lies on its right hand (y points down): above a pixel
    ──┼──        it goes right, below it left, on its right side down, on its left side up. So shells turn clockwise as
    c │ d        one looks at them, holes the other way.

At a vertex at most one edge of each of the four directions begins and one ends. On every line of the lattice the
edges of one direction follow each other without overlap, so that the i-th beginning on it belongs to the i-th end.
Two pixels of a label that touch at a corner only are apart (4-connected); where both are of one area, its outline
would come by the corner twice, and is cut there into a shell and a hole that touch.

Why not ``rasterio.features.shapes``. It gives the same polygons, vertex for vertex (the tests compare them), but visits
every pixel, and hands over every vertex as a Python tuple: 8 s for a slide's mask of 20,000 × 20,000 pixels, of which
nearly all lie inside an area or outside all; this takes half a second. ``scripts/bench/raster.py`` measures both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.raster.runs import IntArray

_NOTHING = -1
_PIXELS_AT_ONCE = 1 << 20  # compared in one go: stays in the processor's cache
Flags = NDArray[np.bool_]


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
    changes = _changes(labels, wanted)
    corners = _Corners.find(labels, wanted, changes)
    level, upright = _Edges.level(corners), _Edges.upright(corners)
    rings = _Rings.walk(*_cut_at_touches(*_links(corners, level, upright), level))
    return _outlines(labels, changes, corners, level, upright, rings)


def _changes(labels: NDArray[np.uint8], wanted: Flags) -> IntArray:
    """Return ``row * (width + 1) + column``, ascending, of every pixel that differs from the one on its left.

    Beyond the array nothing lies; a wanted label at its end differs from that.
    """
    height, width = labels.shape
    rows = max(1, _PIXELS_AT_ONCE // max(width, 1))
    differs = np.zeros((min(rows, height), width + 1), dtype=bool)
    found = [np.zeros(0, np.int64)]
    for top in range(0, height, rows):
        block = labels[top : top + rows]
        here = differs[: len(block)]
        np.not_equal(block[:, 1:], block[:, :-1], out=here[:, 1:width])
        here[:, 0], here[:, width] = (wanted[block[:, 0]], wanted[block[:, -1]]) if width else (False, False)
        found.append(np.flatnonzero(here) + top * (width + 1))
    return np.concatenate(found)


@dataclass(frozen=True, slots=True, eq=False)
class _Corners:
    """The lattice vertices at which some outline may turn, row by row, and the four labels around each.

    A label that isn't wanted, and what lies beyond the array, is −1.
    """

    x: IntArray
    y: IntArray
    a: NDArray[np.int16]
    b: NDArray[np.int16]
    c: NDArray[np.int16]
    d: NDArray[np.int16]

    @classmethod
    def find(cls, labels: NDArray[np.uint8], wanted: Flags, changes: IntArray) -> _Corners:
        """Return them; no outline turns where the labels change neither in the row above nor in the one below."""
        stride = labels.shape[1] + 1
        places = np.concatenate([changes, changes + stride])
        places.sort(kind="stable")  # two ascending runs: merged in one pass
        places = places[np.diff(places, prepend=_NOTHING) > 0]
        y, x = np.divmod(places, stride)
        a, b, c, d = around = _labels_around(labels, wanted, y, x)
        turns = (a != c) | (b != d)
        return cls(*(array[turns] for array in (x, y, *around)))


def _labels_around(labels: NDArray[np.uint8], wanted: Flags, y: IntArray, x: IntArray) -> tuple[NDArray[np.int16], ...]:
    names = np.where(wanted, np.arange(256, dtype=np.int16), np.int16(_NOTHING))
    height, width = labels.shape
    rows = [(np.maximum(y - 1, 0), y > 0), (np.minimum(y, height - 1), y < height)]
    columns = [(np.maximum(x - 1, 0), x > 0), (np.minimum(x, width - 1), x < width)]
    nothing = np.int16(_NOTHING)
    return tuple(np.where(r_in & c_in, names[labels[r, c]], nothing) for r, r_in in rows for c, c_in in columns)


@dataclass(frozen=True, slots=True, eq=False)
class _Edges:
    """Edges of two opposite directions: between which corners, and which edge begins at a corner.

    Parameters
    ----------
    start, stop
        Numbers of corners.
    count
        So many are of the first direction (right, down), the rest of the second (left, up).
    by_start
        (2, corners): the number of the edge that begins there, by direction; −1 where none does.
    """

    start: IntArray
    stop: IntArray
    count: int
    by_start: IntArray

    @classmethod
    def level(cls, at: _Corners) -> _Edges:
        """Return those above pixels, then those below."""
        above_c, above_d = _is_edge(at.c, at.a), _is_edge(at.d, at.b)
        below_a, below_b = _is_edge(at.a, at.c), _is_edge(at.b, at.d)
        right = _ends(above_c, above_d, at.c == at.d)
        left = _ends(below_a, below_b, at.a == at.b)
        return cls._of(right, left, len(at.x))

    @classmethod
    def upright(cls, at: _Corners) -> _Edges:
        """Return those on the right of pixels, then those on the left; column by column."""
        right_a, right_c = _is_edge(at.a, at.b), _is_edge(at.c, at.d)
        left_b, left_d = _is_edge(at.b, at.a), _is_edge(at.d, at.c)
        down, up = (
            tuple(ends[np.argsort(at.x[ends], kind="stable")] for ends in pair)
            for pair in (_ends(right_a, right_c, at.a == at.c), _ends(left_b, left_d, at.b == at.d))
        )
        return cls._of(down, up, len(at.x))

    @classmethod
    def _of(cls, forward: tuple[IntArray, ...], backward: tuple[IntArray, ...], corners: int) -> _Edges:
        count, total = len(forward[0]), len(forward[0]) + len(backward[0])
        by_start = np.full((2, corners), _NOTHING)
        by_start[0, forward[0]] = np.arange(count)
        by_start[1, backward[1]] = np.arange(count, total)
        start, stop = np.concatenate([forward[0], backward[1]]), np.concatenate([forward[1], backward[0]])
        return cls(start, stop, count, by_start)


def _is_edge(pixel: NDArray[np.int16], beyond: NDArray[np.int16]) -> Flags:
    is_edge: Flags = (pixel != beyond) & (pixel != _NOTHING)
    return is_edge


def _ends(before: Flags, after: Flags, is_same: Flags) -> tuple[IntArray, IntArray]:
    """Return the corners at which an edge's upper or left end lies, and those of its other end."""
    goes_on = before & after & is_same
    return np.flatnonzero(after & ~goes_on), np.flatnonzero(before & ~goes_on)


def _links(at: _Corners, level: _Edges, upright: _Edges) -> tuple[IntArray, IntArray]:
    """Return for each level edge the upright one that follows it, and for each upright one the level one."""
    stop, is_left = level.stop, np.arange(len(level.stop)) >= level.count
    goes_up = np.where(is_left, at.a[stop] != at.b[stop], at.d[stop] == at.c[stop])
    after_level = upright.by_start[goes_up.astype(np.intp), stop]
    stop, is_up = upright.stop, np.arange(len(upright.stop)) >= upright.count
    goes_left = np.where(is_up, at.d[stop] == at.b[stop], at.a[stop] != at.c[stop])
    return after_level, level.by_start[goes_left.astype(np.intp), stop]


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


def _cut_at_touches(after_level: IntArray, after_upright: IntArray, level: _Edges) -> tuple[IntArray, IntArray]:
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
    labels: NDArray[np.uint8], changes: IntArray, at: _Corners, level: _Edges, upright: _Edges, rings: _Rings
) -> Outlines:
    """Put every hole into its shell, and the corners of all into one array."""
    if not len(rings.order):
        return Outlines(rings.order, np.zeros((0, 2)), rings.stops, rings.stops)
    corners = np.stack([level.start[rings.order], level.stop[rings.order]], axis=1).ravel()
    starts, sizes = 2 * rings.stops[:-1], 2 * np.diff(rings.stops)
    place = _place_of_least(corners, starts)
    shell = _shells(labels.shape[1] + 1, changes, at, upright, rings)
    by_polygon = np.lexsort((corners[place], shell))
    firsts = np.flatnonzero(np.diff(shell[by_polygon], prepend=_NOTHING))
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


def _shells(stride: int, changes: IntArray, at: _Corners, upright: _Edges, rings: _Rings) -> IntArray:
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
