"""Tiles cut from a window and glued again, band by band, so that no full-size array is ever needed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.coords import Window
from bridge.raster.masks import ProbabilityMap

_FLOOR = 1e-3  # smallest weight along one side: positive, so that a pixel under one tile only keeps its value


def blend_weights(tile_px: int, overlap_px: int) -> NDArray[np.float32]:
    """Return how much each pixel of a tile counts where tiles overlap.

    Flat in the middle, falling as a raised cosine over the overlap; where the ramps of two neighbours meet they add up
    to one (but for the floor that keeps every weight positive).

    Returns
    -------
    float32, (tile_px, tile_px)
        In (0, 1].
    """
    distance = np.minimum(np.arange(tile_px), np.arange(tile_px)[::-1]) + 0.5  # from the nearer border
    ramp = np.ones(tile_px) if overlap_px == 0 else np.sin(0.5 * np.pi * np.minimum(distance / overlap_px, 1)) ** 2
    side = np.maximum(ramp, _FLOOR)
    return np.outer(side, side).astype(np.float32)


@dataclass(frozen=True, slots=True)
class TileGrid:
    """Equal tiles that cover a window, with overlap; what cuts also glues, so that sizes cannot disagree.

    ::

        step = tile_px − overlap_px           band 0: rows that tile row 1 doesn't reach
        ├─────┤                               band r: from the start of tile row r to that of row r + 1;
        ┌─────┬─┬─────┬─┬ ─ ─ ┐                       the last one to the end of the window
        │     │ │     │ │     ┊ may reach beyond the window
        └─────┴─┴─────┴─┴ ─ ─ ┘

    Parameters
    ----------
    window
        What is covered; the first tile begins at its corner.
    tile_px
        Side of a tile, grid pixels.
    overlap_px
        Pixels that neighbouring tiles share, less than ``tile_px``.

    Raises
    ------
    ValueError
        The tile is not larger than the overlap, or the overlap is negative.

    Examples
    --------
    >>> TileGrid(Window(0, 0, 10, 4), tile_px=6, overlap_px=2).shape
    (1, 2)
    """

    window: Window
    tile_px: int
    overlap_px: int

    def __post_init__(self) -> None:
        if not 0 <= self.overlap_px < self.tile_px:
            raise ValueError(f"tiles of {self.tile_px} px can't overlap by {self.overlap_px} px")

    @property
    def step_px(self) -> int:
        """Distance of neighbouring tiles."""
        return self.tile_px - self.overlap_px

    @property
    def shape(self) -> tuple[int, int]:
        """(tile rows, tile columns)."""
        rows, columns = (
            max(1, math.ceil((side - self.overlap_px) / self.step_px))
            for side in (self.window.height, self.window.width)
        )
        return rows, columns

    def __len__(self) -> int:
        """Count the tiles, which is rows × columns."""
        return math.prod(self.shape)

    def __iter__(self) -> Iterator[Window]:
        """Yield the tiles row by row."""
        rows, _ = self.shape
        for row in range(rows):
            yield from self.row(row)

    def row(self, row: int) -> Iterator[Window]:
        """Yield the tiles of one row from left to right."""
        _, columns = self.shape
        y, size = self.window.y + row * self.step_px, self.tile_px
        for column in range(columns):
            yield Window(self.window.x + column * self.step_px, y, size, size, self.window.downsample)

    def band(self, row: int) -> Window:
        """Return the part of the window that is finished once tile rows up to this one are glued."""
        rows, _ = self.shape
        top = self.window.y + row * self.step_px
        bottom = self.window.bottom if row == rows - 1 else top + self.step_px
        return Window(self.window.x, top, self.window.width, bottom - top, self.window.downsample)

    def band_at(self, y: int) -> int:
        """Return the band that a pixel row of the window lies in."""
        rows, _ = self.shape
        return min(max(0, y - self.window.y) // self.step_px, rows - 1)

    def first_row_under(self, band: int) -> int:
        """Return the first tile row that reaches into a band: from there on a resumed prediction needs tiles."""
        return max(0, band - math.ceil(self.tile_px / self.step_px) + 1)

    def row_of(self, tile: Window) -> int:
        """Return the row that a tile of this grid belongs to.

        Raises
        ------
        ValueError
            The window is no tile of this grid.
        """
        row, down = divmod(tile.y - self.window.y, self.step_px)
        column, across = divmod(tile.x - self.window.x, self.step_px)
        rows, columns = self.shape
        is_ours = (tile.width, tile.height, tile.downsample) == (self.tile_px, self.tile_px, self.window.downsample)
        if down or across or not is_ours or not (0 <= row < rows and 0 <= column < columns):
            raise ValueError(f"{tile} is no tile of {self}")
        return row


class BandBlender:
    """Glues the maps of overlapping tiles into bands of the full width, each pixel once.

    Holds the rows that coming tiles may still change and nothing else: (classes + 1) × tile × width floats, whatever
    the height; a finished band is what was held for its rows, and no copy. What no tile covers costs neither time nor
    memory: a band without any is one pixel, shown everywhere (``numpy.broadcast_to``), and can't be written to.

    Parameters
    ----------
    grid
        The one that cut the tiles.
    names
        Classes of the maps.
    empty
        Probabilities of pixels that no tile covered (tiles without tissue may be left out); background is certain
        there if None.
    first_band
        Where a resumed prediction goes on; earlier bands are not yielded. Tiles are needed from
        ``grid.first_row_under(first_band)`` on.

    Examples
    --------
    >>> grid = TileGrid(Window(0, 0, 4, 6), tile_px=4, overlap_px=1)
    >>> blender = BandBlender(grid, ("Background",))
    >>> tiles = (ProbabilityMap(np.full((1, 4, 4), 0.25, np.float32), w, ("Background",)) for w in grid)
    >>> bands = [band for tile in tiles for band in blender.add(tile)]
    >>> [band.probabilities.shape for band in (*bands, *blender.finish())]
    [(1, 3, 4), (1, 3, 4)]
    """

    def __init__(
        self,
        grid: TileGrid,
        names: tuple[str, ...],
        *,
        empty: Sequence[float] | None = None,
        first_band: int = 0,
    ) -> None:
        self.grid = grid
        self.names = names
        self._empty = np.zeros(len(names), np.float32)
        self._empty[:] = np.eye(1, len(names))[0] if empty is None else empty
        self._weights = blend_weights(grid.tile_px, grid.overlap_px)
        self._next_band = first_band
        self._open_row = grid.first_row_under(first_band)  # tile row that the first buffered pixel row belongs to
        self._columns = range(0)  # that tiles have covered so far; all others are zero in both buffers
        self._clean_from = self._open_row  # band from which on the rows that are held are zero
        self._sums = np.zeros((len(names), grid.tile_px, grid.window.width), np.float32)
        self._total = np.zeros((grid.tile_px, grid.window.width), np.float32)

    def add(self, tile: ProbabilityMap) -> Iterator[ProbabilityMap]:
        """Take one tile; return the bands that its row finishes. The tile counts at once, not when bands are taken.

        Parameters
        ----------
        tile
            Of the grid; tiles come row by row, any may be missing.

        Raises
        ------
        ValueError
            A map that is no tile of the grid, has other classes, or belongs to a row that is already finished.
        """
        row = self.grid.row_of(tile.window)
        if tile.names != self.names:
            raise ValueError(f"a tile with classes {tile.names} among maps of {self.names}")
        if row < self._open_row:
            raise ValueError(f"tile row {row} comes too late: row {self._open_row} was begun; bring tiles row by row")
        finished = self._close_until(row)
        self._accumulate(tile)
        self._clean_from = row + math.ceil(self.grid.tile_px / self.grid.step_px)
        return iter(finished)

    def finish(self) -> Iterator[ProbabilityMap]:
        """Return the bands that are left; after it no tile is taken."""
        return iter(self._close_until(self.grid.shape[0]))

    def _accumulate(self, tile: ProbabilityMap) -> None:
        left = tile.window.x - self.grid.window.x
        width = min(self.grid.tile_px, self.grid.window.width - left)
        columns = slice(left, left + width)
        before = self._columns or range(columns.start, columns.stop)
        self._columns = range(min(before.start, columns.start), max(before.stop, columns.stop))
        self._sums[:, :, columns] += tile.probabilities[:, :, :width] * self._weights[:, :width]
        self._total[:, columns] += self._weights[:, :width]

    def _close_until(self, row: int) -> list[ProbabilityMap]:
        bands = []
        while self._open_row < row:
            if self._open_row >= self._next_band:
                bands.append(self._close(self.grid.band(self._open_row)))
                self._next_band += 1
            self._open_row += 1
            self._shift()
        return bands

    def _close(self, band: Window) -> ProbabilityMap:
        shape = (len(self.names), *band.shape)
        if self._open_row >= self._clean_from:
            return ProbabilityMap(np.broadcast_to(self._empty[:, None, None], shape), band, self.names)
        values, total = self._sums[:, : band.height], self._total[: band.height]
        columns = slice(self._columns.start, self._columns.stop)
        covered = total[:, columns] > 0
        np.divide(values[:, :, columns], total[:, columns], out=values[:, :, columns], where=covered)
        for plane in np.flatnonzero(self._empty):
            values[plane, :, : columns.start] = self._empty[plane]
            values[plane, :, columns][~covered] = self._empty[plane]
            values[plane, :, columns.stop :] = self._empty[plane]
        return ProbabilityMap(values, band, self.names)

    def _shift(self) -> None:
        if self._open_row > self._clean_from:
            return
        step, kept = self.grid.step_px, self.grid.overlap_px
        columns = slice(self._columns.start, self._columns.stop)
        begun = np.zeros(self._sums.shape, np.float32)  # the band has the old ones; what isn't touched costs nothing
        begun[:, :kept, columns] = self._sums[:, step:, columns]
        self._sums = begun
        self._total[:kept, columns] = self._total[step:, columns]
        self._total[kept:, columns] = 0
