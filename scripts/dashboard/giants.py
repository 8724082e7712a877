"""Outlines of very many vertices: what of them is in view, in no more vertices than a browser draws in a moment.

All is done for all rings of an outline at once, with NumPy: GEOS takes seconds for tens of thousands of holes, and
refuses to clip what crosses itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

_COARSER = 2.0  # from one try to the next
_HOLE_CELLS = 4  # a hole that is smaller isn't drawn


@dataclass(frozen=True, slots=True)
class Rings:
    """The rings of an outline, the first vertex of each not repeated at its end.

    Parameters
    ----------
    points
        (n, 2), ring after ring.
    ring
        (n,), which one each belongs to, ascending.
    is_shell
        By ring; the others are holes.
    """

    points: NDArray[np.float64]
    ring: NDArray[np.int64]
    is_shell: NDArray[np.bool_]

    @classmethod
    def of(cls, shape: BaseGeometry) -> Rings:
        """Return those of a polygon, or of several."""
        rings, part = shapely.get_rings(shapely.get_parts(shape), return_index=True)
        points, ring = shapely.get_coordinates(rings, return_index=True)
        is_last = np.diff(ring, append=-1) != 0
        return cls(points[~is_last], ring[~is_last], np.diff(part, prepend=-1) != 0)

    def __len__(self) -> int:
        return len(self.points)

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each ring begins that has vertices."""
        return np.flatnonzero(np.diff(self.ring, prepend=-1))

    def within(self, left: float, top: float, right: float, bottom: float) -> Rings:
        """Return what lies in a box; rings that leave it follow its sides (Sutherland and Hodgman)."""
        found = self
        for axis, limit, sign in ((0, left, -1), (0, right, 1), (1, top, -1), (1, bottom, 1)):
            found = found._beside(axis, limit, sign)
        return found

    def _beside(self, axis: int, limit: float, sign: int) -> Rings:
        following, starts = np.arange(1, len(self) + 1), self.starts
        following[np.append(starts, len(self))[1:] - 1] = starts
        here, there = self.points, self.points[following]
        is_in = sign * (here[:, axis] - limit) <= 0
        crosses = is_in != is_in[following]
        step = np.where(crosses, there[:, axis] - here[:, axis], 1.0)
        met = here + (there - here) * ((limit - here[:, axis]) / step)[:, None]
        met[:, axis] = limit
        both = np.stack([here, met], axis=1).reshape(-1, 2)
        is_kept = np.stack([is_in, crosses], axis=1).ravel()
        return Rings(both[is_kept], np.repeat(self.ring, 2)[is_kept], self.is_shell)

    def thinned(self, cell: float) -> Rings:
        """Return the rings without vertices that lie in the cell of the one before them: none moves further than that.

        Small holes go; of shells within one or two cells one square a cell is left.
        """
        seen = self._without_small_holes(_HOLE_CELLS * cell)
        cells, starts = np.floor(seen.points / cell), seen.starts
        before = np.arange(-1, len(seen) - 1)
        before[starts] = np.append(starts, len(seen))[1:] - 1
        is_kept = (cells[:, 0] != cells[before, 0]) | (cells[:, 1] != cells[before, 1])
        counts = np.bincount(seen.ring[is_kept], minlength=len(seen.is_shell))
        is_kept &= counts[seen.ring] > 2
        specks = starts[(counts[seen.ring[starts]] <= 2) & seen.is_shell[seen.ring[starts]]]
        kept = Rings(seen.points[is_kept], seen.ring[is_kept], seen.is_shell)
        return kept._with_squares(np.unique(cells[specks], axis=0) * cell, cell)

    def _without_small_holes(self, side: float) -> Rings:
        if not len(self) or self.is_shell.all():
            return self
        starts = self.starts
        extent = np.maximum.reduceat(self.points, starts) - np.minimum.reduceat(self.points, starts)
        is_seen = np.zeros(len(self.is_shell), dtype=bool)
        is_seen[self.ring[starts]] = extent.max(axis=1) >= side
        is_kept = (is_seen | self.is_shell)[self.ring]
        return Rings(self.points[is_kept], self.ring[is_kept], self.is_shell)

    def _with_squares(self, corners: NDArray[np.float64], side: float) -> Rings:
        square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * side
        points = (corners[:, None] + square).reshape(-1, 2)
        ring = len(self.is_shell) + np.repeat(np.arange(len(corners)), 4)
        is_shell = np.append(self.is_shell, np.ones(len(corners), dtype=bool))
        return Rings(np.concatenate([self.points, points]), np.concatenate([self.ring, ring]), is_shell)

    def shape(self) -> BaseGeometry:
        """Return the rings, each a polygon of its own: to be filled by the even-odd rule."""
        _, number = np.unique(self.ring, return_inverse=True)
        rings = shapely.linearrings(self.points, indices=number) if len(self) else np.empty(0, dtype=object)
        return cast(BaseGeometry, shapely.multipolygons(np.asarray(shapely.polygons(rings), dtype=object)))


def fitted(rings: Rings, cell: float, most: int) -> tuple[Rings, bool]:
    """Return rings thinned until they have no more vertices than that, and whether ``cell`` had to grow for it."""
    found, grown = rings.thinned(cell), cell
    while len(found) > most:
        grown *= _COARSER
        found = rings.thinned(grown)
    return found, grown > cell
