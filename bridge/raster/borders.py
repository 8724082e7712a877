"""The rings of a coverage and the corners that they share, simplified a few rings at a time.

GEOS' coverage simplifier takes time with vertices × rings: 10⁵ isolated cells would take an hour. What becomes of a
stretch of border is decided by the rings that have a vertex of it, so that here it is given few rings at once::

    rings that share no vertex with others     ┌──┐ ┌──┐  any of them, a block at a time
                                               └──┘ └──┘
    rings that hang together, not very many    ┌──┬──┐    all of them in one block
                                               └──┴──┘
    a great many that hang together            ┌──┬──┬──┬──┬─
                                               │ne│BLOCK│ne│   a block, given with its neighbours
                                               └──┴──┴──┴──┴─
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray

from bridge.raster.runs import IntArray, expand

_RINGS_AT_ONCE = 64
_MOST_TOGETHER = 512  # rings that hang together are simplified together up to so many

GeometryArray = NDArray[np.object_]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Borders:
    """The rings of polygons that share vertices wherever they touch.

    Parameters
    ----------
    rings
        All rings as polygons without holes: shells and holes alike.
    polygon
        Of each ring.
    vertices
        Of all rings, one after another, without the closing ones; shape (n, 2).
    ring
        Of each vertex.
    corner
        Of each vertex: equal numbers lie in one place.
    places
        What tells the corner of coordinates.
    """

    rings: GeometryArray
    polygon: IntArray
    vertices: NDArray[np.float64]
    ring: IntArray
    corner: IntArray
    places: _Places

    @classmethod
    def of(cls, coverage: GeometryArray) -> Borders:
        """Take polygons apart."""
        lines, polygon = shapely.get_rings(coverage, return_index=True)
        vertices, ring = shapely.get_coordinates(lines, return_index=True)
        is_closing = np.append(ring[1:] != ring[:-1], True)
        vertices, ring = vertices[~is_closing], ring[~is_closing].astype(np.int64)
        places, corner = _Places.of(vertices)
        rings = np.asarray(shapely.polygons(lines), dtype=object)
        return cls(rings, polygon.astype(np.int64), vertices, ring, corner, places)

    def kept_by(self, length: float, wanted: Flags) -> Flags:
        """Return which corners are left by Visvalingam–Whyatt with a length; those of unwanted rings may be missing.

        Parameters
        ----------
        wanted
            Per ring.
        """
        is_kept = np.zeros(self.places.count, np.bool_)
        for own, beside in self._blocks:
            own_wanted = own[wanted[own]]
            if not own_wanted.size:
                continue
            given = self.rings[np.concatenate([own_wanted, own[~wanted[own]], beside])]
            left = shapely.coverage_simplify(given, length)[: len(own_wanted)]
            is_kept[self._corners_at(shapely.get_coordinates(left), own_wanted)] = True
        return is_kept

    def _corners_at(self, vertices: NDArray[np.float64], rings: IntArray) -> IntArray:
        """Return the corners of vertices of some rings: looked for among theirs, which the processor's cache holds."""
        starts = self._starts[rings]
        corners = np.sort(self.corner[expand(starts, self._starts[rings + 1] - starts)])
        return corners[np.searchsorted(self.places.codes[corners], self.places.codes_at(vertices))]

    @cached_property
    def _starts(self) -> IntArray:
        """Where the vertices of each ring begin; and where the last one's end."""
        return np.searchsorted(self.ring, np.arange(len(self.rings) + 1)).astype(np.int64)

    @cached_property
    def _blocks(self) -> list[tuple[IntArray, IntArray]]:
        """Rings to simplify at once, and those beside them that have to be seen."""
        touching = self._touching
        together = _connected(len(self.rings), touching)
        sizes = np.bincount(together)
        order = np.argsort(together, kind="stable")
        is_small = sizes[together[order]] <= _MOST_TOGETHER
        nobody = np.zeros(0, np.int64)
        # Rings that hang together are one after another, and stay in one block.
        ends = np.cumsum(np.where(sizes <= _MOST_TOGETHER, sizes, 0))
        small = order[is_small]
        blocks = [(own, nobody) for own in _split_by(small, (ends[together[small]] - 1) // _RINGS_AT_ONCE)]
        return blocks + list(self._large_blocks(order[~is_small], touching))

    def _large_blocks(
        self, rings: IntArray, touching: tuple[IntArray, IntArray]
    ) -> Iterator[tuple[IntArray, IntArray]]:
        """Cut what hangs together into blocks of rings that lie near each other, each with its neighbours."""
        if not rings.size:
            return
        ring, corner = touching
        by_ring, starts = _sorted_by(ring, len(self.rings))
        by_corner, firsts = _sorted_by(corner, self.places.count)
        left, top, right, bottom = shapely.bounds(self.rings[rings]).T
        side = float(np.median(right - left)) * _RINGS_AT_ONCE**0.5 or 1.0
        near = rings[np.lexsort(((left + right) // 2, (top + bottom) / 2 // side))]
        for own in np.array_split(near, -(-len(near) // _RINGS_AT_ONCE)):
            corners = np.unique(corner[by_ring[expand(starts[own], starts[own + 1] - starts[own])]])
            others = ring[by_corner[expand(firsts[corners], firsts[corners + 1] - firsts[corners])]]
            yield own, np.setdiff1d(others, own)

    @property
    def _touching(self) -> tuple[IntArray, IntArray]:
        """Return (ring, corner) of the vertices in whose place another ring has one as well."""
        is_shared = np.bincount(self.corner)[self.corner] > 1
        return self.ring[is_shared], self.corner[is_shared]


@dataclass(frozen=True, eq=False)
class _Places:
    """The places of corners, as one sorted number each.

    Parameters
    ----------
    x, y
        Sorted, each once.
    codes
        Of the corners: place of y in ``y`` × how many x there are + place of x.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    codes: IntArray

    @classmethod
    def of(cls, vertices: NDArray[np.float64]) -> tuple[_Places, IntArray]:
        """Return the places of some vertices, and the corner of each."""
        x, column = np.unique(vertices[:, 0], return_inverse=True)
        y, row = np.unique(vertices[:, 1], return_inverse=True)
        codes, corner = np.unique(row.astype(np.int64) * len(x) + column, return_inverse=True)
        return cls(x, y, codes), corner.astype(np.int64)

    @property
    def count(self) -> int:
        return len(self.codes)

    def codes_at(self, vertices: NDArray[np.float64]) -> IntArray:
        """Return the codes of vertices that are among the corners."""
        row, column = np.searchsorted(self.y, vertices[:, 1]), np.searchsorted(self.x, vertices[:, 0])
        return np.asarray(row * len(self.x) + column)


def _connected(count: int, touching: tuple[IntArray, IntArray]) -> IntArray:
    """Return for each ring the number of the rings that it hangs together with."""
    from scipy import sparse  # a quarter of a second that only simplifying needs
    from scipy.sparse import csgraph

    ring, corner = touching
    _, corner = np.unique(corner, return_inverse=True)
    size = count + int(corner.max(initial=-1)) + 1
    graph = sparse.coo_array((np.ones(len(ring), np.int8), (ring, corner + count)), shape=(size, size))
    _, together = csgraph.connected_components(graph, directed=False)
    return np.asarray(together[:count], np.int64)


def _sorted_by(numbers: IntArray, count: int) -> tuple[IntArray, IntArray]:
    """Return the order of numbers below a count, and where each one's begin in it; and where the last one's end."""
    return np.argsort(numbers, kind="stable"), np.append(0, np.cumsum(np.bincount(numbers, minlength=count)))


def _split_by(values: IntArray, number: IntArray) -> list[IntArray]:
    """Cut an array where its numbers, which rise, change."""
    return np.split(values, np.flatnonzero(np.diff(number)) + 1) if values.size else []
