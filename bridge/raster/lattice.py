"""The edges along which labels change: between which lattice vertices they run, and which follows which.

Around each lattice vertex lie four pixels::

    a │ b        An edge runs along a pixel of its label, which lies on its right hand (y points down): above a pixel
    ──┼──        it goes right, below it left, on its right side down, on its left side up. So shells turn clockwise as
    c │ d        one looks at them, holes the other way.

At a vertex at most one edge of each of the four directions begins and one ends. On every line of the lattice the
edges of one direction follow each other without overlap, so that the i-th beginning on it belongs to the i-th end.
Two pixels of a label that touch at a corner only are apart (4-connected).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.raster.runs import IntArray

NOTHING = -1
_PIXELS_AT_ONCE = 1 << 20  # compared in one go: stays in the processor's cache
Flags = NDArray[np.bool_]


def changed_places(labels: NDArray[np.uint8], wanted: Flags) -> IntArray:
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
class Corners:
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
    def find(cls, labels: NDArray[np.uint8], wanted: Flags, changes: IntArray) -> Corners:
        """Return them; no outline turns where the labels change neither in the row above nor in the one below."""
        stride = labels.shape[1] + 1
        places = np.concatenate([changes, changes + stride])
        places.sort(kind="stable")  # two ascending runs: merged in one pass
        places = places[np.diff(places, prepend=NOTHING) > 0]
        y, x = np.divmod(places, stride)
        a, b, c, d = around = _labels_around(labels, wanted, y, x)
        turns = (a != c) | (b != d)
        return cls(*(array[turns] for array in (x, y, *around)))


def _labels_around(labels: NDArray[np.uint8], wanted: Flags, y: IntArray, x: IntArray) -> tuple[NDArray[np.int16], ...]:
    names = np.where(wanted, np.arange(256, dtype=np.int16), np.int16(NOTHING))
    height, width = labels.shape
    rows = [(np.maximum(y - 1, 0), y > 0), (np.minimum(y, height - 1), y < height)]
    columns = [(np.maximum(x - 1, 0), x > 0), (np.minimum(x, width - 1), x < width)]
    nothing = np.int16(NOTHING)
    return tuple(np.where(r_in & c_in, names[labels[r, c]], nothing) for r, r_in in rows for c, c_in in columns)


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
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
    def level(cls, at: Corners) -> Edges:
        """Return those above pixels, then those below."""
        above_c, above_d = _is_edge(at.c, at.a), _is_edge(at.d, at.b)
        below_a, below_b = _is_edge(at.a, at.c), _is_edge(at.b, at.d)
        right = _ends(above_c, above_d, at.c == at.d)
        left = _ends(below_a, below_b, at.a == at.b)
        return cls._of(right, left, len(at.x))

    @classmethod
    def upright(cls, at: Corners) -> Edges:
        """Return those on the right of pixels, then those on the left; column by column."""
        right_a, right_c = _is_edge(at.a, at.b), _is_edge(at.c, at.d)
        left_b, left_d = _is_edge(at.b, at.a), _is_edge(at.d, at.c)
        down, up = (
            tuple(ends[np.argsort(at.x[ends], kind="stable")] for ends in pair)
            for pair in (_ends(right_a, right_c, at.a == at.c), _ends(left_b, left_d, at.b == at.d))
        )
        return cls._of(down, up, len(at.x))

    @classmethod
    def _of(cls, forward: tuple[IntArray, ...], backward: tuple[IntArray, ...], corners: int) -> Edges:
        count, total = len(forward[0]), len(forward[0]) + len(backward[0])
        by_start = np.full((2, corners), NOTHING)
        by_start[0, forward[0]] = np.arange(count)
        by_start[1, backward[1]] = np.arange(count, total)
        start, stop = np.concatenate([forward[0], backward[1]]), np.concatenate([forward[1], backward[0]])
        return cls(start, stop, count, by_start)


def _is_edge(pixel: NDArray[np.int16], beyond: NDArray[np.int16]) -> Flags:
    is_edge: Flags = (pixel != beyond) & (pixel != NOTHING)
    return is_edge


def _ends(before: Flags, after: Flags, is_same: Flags) -> tuple[IntArray, IntArray]:
    """Return the corners at which an edge's upper or left end lies, and those of its other end."""
    goes_on = before & after & is_same
    return np.flatnonzero(after & ~goes_on), np.flatnonzero(before & ~goes_on)


def links(at: Corners, level: Edges, upright: Edges) -> tuple[IntArray, IntArray]:
    """Return for each level edge the upright one that follows it, and for each upright one the level one."""
    stop, is_left = level.stop, np.arange(len(level.stop)) >= level.count
    goes_up = np.where(is_left, at.a[stop] != at.b[stop], at.d[stop] == at.c[stop])
    after_level = upright.by_start[goes_up.astype(np.intp), stop]
    stop, is_up = upright.stop, np.arange(len(upright.stop)) >= upright.count
    goes_left = np.where(is_up, at.d[stop] == at.b[stop], at.a[stop] != at.c[stop])
    return after_level, level.by_start[goes_left.astype(np.intp), stop]
