"""Where level 0, level n and micrometres are converted, and nowhere else.

Three frames: *level-0 pixels* (what files speak; geometry is (x, y)), the *grid* of a downsample (whole pixels, origin
at level 0's origin; arrays are [y, x]), and *micrometres*.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import shapely
from shapely.geometry import Polygon


@dataclass(frozen=True, slots=True, order=True)
class Region:
    """Axis-aligned rectangle in level-0 pixels, half-open: it holds x ≤ px < x + width.

    Raises
    ------
    ValueError
        Width or height is not positive.
    """

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0:
            raise ValueError(f"a region needs a positive size, got {self.width} x {self.height}")

    @classmethod
    def from_bounds(cls, min_x: float, min_y: float, max_x: float, max_y: float) -> Region:
        """Return the smallest region that holds the bounds; at least one pixel wide and high."""
        x, y = math.floor(min_x), math.floor(min_y)
        return cls(x, y, max(1, math.ceil(max_x) - x), max(1, math.ceil(max_y) - y))

    @property
    def right(self) -> int:
        """First column right of the region."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First row below the region."""
        return self.y + self.height

    @property
    def area(self) -> int:
        """Level-0 pixels inside."""
        return self.width * self.height

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """(min x, min y, max x, max y) in shapely's order; the maxima are exclusive."""
        return self.x, self.y, self.right, self.bottom

    def to_polygon(self) -> Polygon:
        """Return the rectangle as a shapely polygon."""
        return shapely.box(*self.bounds)

    def intersection(self, other: Region) -> Region | None:
        """Return the shared part, or None where the two only touch or lie apart."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        right, bottom = min(self.right, other.right), min(self.bottom, other.bottom)
        if right <= x or bottom <= y:
            return None
        return Region(x, y, right - x, bottom - y)

    def contains(self, other: Region) -> bool:
        """Say whether the other region lies wholly inside."""
        return self.intersection(other) == other


@dataclass(frozen=True, slots=True)
class Window:
    """Rectangle of whole pixels on the global grid of one downsample.

    Grid pixel (column, row) covers level-0 [column·d, (column+1)·d) × [row·d, (row+1)·d); two windows of the same
    downsample therefore share their pixels exactly, whatever tiling they come from.

    Parameters
    ----------
    x, y
        First column and row, in grid pixels; may be negative.
    width, height
        In grid pixels, positive.
    downsample
        Level-0 pixels per grid pixel and side, at least 1; need not be whole.
    """

    x: int
    y: int
    width: int
    height: int
    downsample: float = 1.0

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0:
            raise ValueError(f"a window needs a positive size, got {self.width} x {self.height}")
        if not 1 <= self.downsample < math.inf:
            raise ValueError(f"downsample must be at least 1 and finite, got {self.downsample}")

    @classmethod
    def covering(cls, region: Region, downsample: float = 1.0) -> Window:
        """Return the smallest window whose pixels cover the region."""
        x, y = math.floor(region.x / downsample), math.floor(region.y / downsample)
        right, bottom = math.ceil(region.right / downsample), math.ceil(region.bottom / downsample)
        return cls(x, y, right - x, bottom - y, downsample)

    @property
    def right(self) -> int:
        """First column right of the window."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First row below the window."""
        return self.y + self.height

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width), as numpy wants it."""
        return self.height, self.width

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(min x, min y, max x, max y) in level-0 pixels, not rounded."""
        d = self.downsample
        return self.x * d, self.y * d, self.right * d, self.bottom * d

    def to_region(self) -> Region:
        """Return the smallest level-0 region that holds the window."""
        return Region.from_bounds(*self.bounds)

    def intersection(self, other: Window) -> Window | None:
        """Return the shared part, or None.

        Raises
        ------
        ValueError
            The windows lie on grids of different downsamples.
        """
        if other.downsample != self.downsample:
            raise ValueError(f"windows of downsample {self.downsample} and {other.downsample} share no grid")
        x, y = max(self.x, other.x), max(self.y, other.y)
        right, bottom = min(self.right, other.right), min(self.bottom, other.bottom)
        if right <= x or bottom <= y:
            return None
        return Window(x, y, right - x, bottom - y, self.downsample)

    def slices(self, inner: Window) -> tuple[slice, slice]:
        """Return (rows, columns) of a window that lies inside this one.

        Raises
        ------
        ValueError
            The other reaches out of this one, or lies on another grid: its slices would wrap around.
        """
        if self.intersection(inner) != inner:
            raise ValueError(f"window {inner.bounds} doesn't lie inside {self.bounds}")
        top, left = inner.y - self.y, inner.x - self.x
        return slice(top, top + inner.height), slice(left, left + inner.width)

    def tiles(self, tile_px: int) -> Iterator[Window]:
        """Cut into windows of at most ``tile_px`` per side, row by row; each pixel is in exactly one.

        Raises
        ------
        ValueError
            ``tile_px`` is not positive.
        """
        if tile_px < 1:
            raise ValueError(f"tiles need a positive size, got {tile_px}")
        for y in range(self.y, self.bottom, tile_px):
            for x in range(self.x, self.right, tile_px):
                yield Window(x, y, min(tile_px, self.right - x), min(tile_px, self.bottom - y), self.downsample)


@dataclass(frozen=True, slots=True)
class Pyramid:
    """The levels of a slide, in OpenSlide's words.

    Parameters
    ----------
    dimensions
        (width, height) per level, level 0 first.
    downsamples
        Level-0 pixels per level pixel and side, one per level; the first is 1.
    mpp
        (x, y) micrometres per level-0 pixel, or None if nobody knows.
    """

    dimensions: tuple[tuple[int, int], ...]
    downsamples: tuple[float, ...]
    mpp: tuple[float, float] | None

    @property
    def bounds(self) -> Region:
        """The whole slide."""
        width, height = self.dimensions[0]
        return Region(0, 0, width, height)

    def best_level_for(self, downsample: float) -> int:
        """Return the coarsest level that is at least as fine as the downsample (1 % slack for odd sizes)."""
        fine_enough = [i for i, d in enumerate(self.downsamples) if d <= downsample * 1.01]
        return max(fine_enough, key=lambda i: self.downsamples[i], default=0)

    def window_at(self, downsample: float) -> Window:
        """Return the window of the whole slide at a downsample."""
        return Window.covering(self.bounds, downsample)


def downsample_for(mpp: tuple[float, float], working_mpp: float) -> float:
    """Return level-0 pixels per working pixel and side; 1 where the slide is coarser than the working mpp.

    The geometric mean of both sides is taken; slides with x ≠ y are reported where they are opened.
    """
    return max(1.0, working_mpp / math.sqrt(mpp[0] * mpp[1]))


def um2_to_px2(area_um2: float, mpp: tuple[float, float]) -> float:
    """Convert an area from µm² to level-0 px²."""
    return area_um2 / (mpp[0] * mpp[1])


def um_to_px(length_um: float, mpp: tuple[float, float]) -> float:
    """Convert a length from µm to level-0 pixels (geometric mean of both sides)."""
    return length_um / math.sqrt(mpp[0] * mpp[1])
