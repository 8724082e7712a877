"""Chance by coordinates: every number is a hash of the seed, a stream's name and a place, so that no order matters.

Places are micrometres or whole pixels of level 0; two windows that share a pixel therefore agree on it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Hashes = NDArray[np.uint32]

_X, _Y, _MIX1, _MIX2 = (np.uint32(n) for n in (0x9E3779B1, 0x85EBCA77, 0x7FEB352D, 0x846CA68B))


def key_of(seed: int, stream: str) -> np.uint32:
    """Return the number that one stream of one seed mixes into its hashes."""
    return np.uint32(zlib.crc32(f"{seed}/{stream}".encode()))


def hashed(key: np.uint32, x: Ints, y: Ints) -> Hashes:
    """Return one well-mixed number per place; the two arrays broadcast. Wellons' ``lowbias32`` does the mixing."""
    h: Hashes = np.bitwise_xor(x.astype(np.uint32) * _X, y.astype(np.uint32) * _Y) ^ key
    h ^= h >> np.uint32(16)
    h *= _MIX1
    h ^= h >> np.uint32(15)
    h *= _MIX2
    h ^= h >> np.uint32(16)
    return h


def uniform(key: np.uint32, x: Ints, y: Ints) -> Floats:
    """Return numbers in [0, 1), one per place."""
    return np.asarray(hashed(key, x, y) / 2.0**32)


def normal(key: np.uint32, x: Ints, y: Ints) -> NDArray[np.float32]:
    """Return numbers of mean 0 and sd 1, nearly normal (a sum of four bytes), one per place."""
    h = hashed(key, x, y)
    total = np.zeros(h.shape, dtype=np.float32)
    for shift in (0, 8, 16, 24):
        total += (h >> np.uint32(shift)) & np.uint32(255)
    return (total - np.float32(510.0)) * np.float32(1 / 147.8)


@dataclass(frozen=True, slots=True)
class SmoothField:
    """Noise without edges: mean 0 and sd 1 at every place, correlated over about one pitch.

    Parameters
    ----------
    key
        From ``key_of``.
    pitch_um
        Distance of the lattice whose random values a cubic B-spline joins.
    """

    key: np.uint32
    pitch_um: float

    def grid(self, xs_um: Floats, ys_um: Floats) -> NDArray[np.float32]:
        """Return the values at the crossings of columns and rows, shape (rows, columns)."""
        first_x, across = self._weights(xs_um)
        first_y, down = self._weights(ys_um)
        columns = np.arange(first_x, first_x + across.shape[1])
        rows = np.arange(first_y, first_y + down.shape[1])
        lattice = normal(self.key, columns[None, :], rows[:, None])
        return np.asarray((down @ lattice) @ across.T, dtype=np.float32)

    def at(self, x_um: Floats, y_um: Floats) -> Floats:
        """Return the values at points; the two arrays have one shape."""
        (column, wx), (row, wy) = self._spline(x_um), self._spline(y_um)
        total = np.zeros(np.shape(x_um))
        for i in range(4):
            for j in range(4):
                total += wy[j] * wx[i] * normal(self.key, column + i, row + j)
        return total

    def _spline(self, places_um: Floats) -> tuple[Ints, list[Floats]]:
        """Return the first of the four lattice points around each place, and their weights, of unit square sum."""
        scaled = np.asarray(places_um, dtype=np.float64) / self.pitch_um
        whole = np.floor(scaled)
        t = scaled - whole
        weights = [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
        norm = np.sqrt(sum(w**2 for w in weights))
        return whole.astype(np.int64) - 1, [w / norm for w in weights]

    def _weights(self, places_um: Floats) -> tuple[int, NDArray[np.float32]]:
        first, weights = self._spline(places_um)
        start = int(first.min())
        matrix = np.zeros((len(places_um), int(first.max()) - start + 4), dtype=np.float32)
        for i, weight in enumerate(weights):
            matrix[np.arange(len(places_um)), first - start + i] = weight
        return start, matrix


@dataclass(frozen=True, slots=True)
class Sites:
    """Points of a jittered lattice: their lattice numbers, and where they lie in µm."""

    column: Ints
    row: Ints
    x_um: Floats
    y_um: Floats

    def __len__(self) -> int:
        """Count the sites."""
        return len(self.column)

    def where(self, chosen: NDArray[np.bool_]) -> Sites:
        """Return the chosen ones."""
        return Sites(self.column[chosen], self.row[chosen], self.x_um[chosen], self.y_um[chosen])

    def uniform(self, seed: int, stream: str) -> Floats:
        """Return one number in [0, 1) per site."""
        return uniform(key_of(seed, stream), self.column, self.row)


@dataclass(frozen=True, slots=True)
class CellField:
    """A lattice of points, one per square cell, each moved at random: seeds of cells, tubules, fat.

    Parameters
    ----------
    seed, stream
        Of the moves.
    pitch_um
        Side of a cell.
    jitter
        Largest move from the cell's middle, in cells: 0 for a grid, 0.5 for anywhere in the cell.
    """

    seed: int
    stream: str
    pitch_um: float
    jitter: float = 0.4

    def sites(self, left_um: float, top_um: float, right_um: float, bottom_um: float) -> Sites:
        """Return the points of all cells that touch a box."""
        columns = np.arange(int(np.floor(left_um / self.pitch_um)), int(np.floor(right_um / self.pitch_um)) + 1)
        rows = np.arange(int(np.floor(top_um / self.pitch_um)), int(np.floor(bottom_um / self.pitch_um)) + 1)
        column, row = (a.ravel() for a in np.meshgrid(columns, rows))
        return Sites(column, row, *self._points(column, row))

    def nearest(self, x_um: Floats, y_um: Floats) -> tuple[Floats, Floats, Hashes]:
        """Return the distance to the nearest point, to the border with the next one's cell (µm), and a hash of it."""
        column = np.floor(x_um / self.pitch_um).astype(np.int64)
        row = np.floor(y_um / self.pitch_um).astype(np.int64)
        first = np.full(x_um.shape, np.inf)
        second = first.copy()
        owner_x, owner_y = column.copy(), row.copy()
        for j in (-1, 0, 1):
            for i in (-1, 0, 1):
                px, py = self._points(column + i, row + j)
                distance = np.hypot(px - x_um, py - y_um)
                closer = distance < first
                second = np.where(closer, first, np.minimum(second, distance))
                first = np.where(closer, distance, first)
                owner_x = np.where(closer, column + i, owner_x)
                owner_y = np.where(closer, row + j, owner_y)
        return first, (second - first) / 2, hashed(key_of(self.seed, f"{self.stream}/owner"), owner_x, owner_y)

    def _points(self, column: Ints, row: Ints) -> tuple[Floats, Floats]:
        x = uniform(key_of(self.seed, f"{self.stream}/x"), column, row)
        y = uniform(key_of(self.seed, f"{self.stream}/y"), column, row)
        spread = 2 * self.jitter
        return (column + 0.5 + (x - 0.5) * spread) * self.pitch_um, (row + 0.5 + (y - 0.5) * spread) * self.pitch_um
