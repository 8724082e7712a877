"""Heat maps of slides that are asked for window by window: made block by block, each patch once, and kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from bridge.coords import Region, Window
from bridge.slides import Slide, TissueMask
from models.data import GuidedSlide, HeatMap, slide_downsample
from models.inference.patchwise import PatchwisePredictor

_BLOCKS_PER_TILE = 4  # and side: the heat map is made in blocks of a fixed lattice

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The values of the keys that were asked for last.

    Parameters
    ----------
    most
        So many are kept, at least one.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Return a key's value, made if it isn't kept; the one that was asked for the longest ago may be dropped."""
        if key not in self._values:
            self._values[key] = make()
        self._values.move_to_end(key)
        if len(self._values) > self._most:
            self._values.popitem(last=False)
        return self._values[key]


class HeatSource:
    """One slide's heat map, made where it is asked for, each patch once.

    Parameters
    ----------
    slide
        Open while it is asked.
    patches
        Say how hot a patch is.
    tissue
        Off it all is cold.
    """

    def __init__(self, slide: Slide, patches: PatchwisePredictor, tissue: TissueMask) -> None:
        self._slide = slide
        self._patches = patches
        self._patch_side = slide_downsample(slide, patches.map_mpp)
        self._tissue = tissue
        self._done: frozenset[tuple[int, int]] = frozenset()
        self._heat: HeatMap | None = None

    def guided(self, tile: Window) -> GuidedSlide:
        """Return the slide with a heat map that is whole under a tile; all tiles asked for have one size.

        Raises
        ------
        SlideError
            The slide is damaged there.
        """
        side = tile.width * tile.downsample / _BLOCKS_PER_TILE
        wanted = _blocks_under(tile, side, margin=self._patch_side) - self._done
        if wanted or self._heat is None:
            area = _Blocks(self._tissue, wanted, side)
            fresh = HeatMap.from_bands(self._patches.predict(self._slide, area))
            self._heat = fresh if self._heat is None else _hotter(self._heat, fresh)
            self._done |= wanted
        return GuidedSlide(self._slide, self._heat)


@dataclass(frozen=True, slots=True)
class _Blocks:
    """The tissue of patches whose centre lies in some blocks of a lattice: each patch belongs to one block."""

    tissue: TissueMask
    blocks: frozenset[tuple[int, int]]
    side: float

    def fraction(self, region: Region) -> float:
        centre = (region.x + region.width / 2, region.y + region.height / 2)
        block = int(centre[0] // self.side), int(centre[1] // self.side)
        return self.tissue.fraction(region) if block in self.blocks else 0.0

    def coverage(self, window: Window) -> NDArray[np.float32]:
        """Return the share of tissue in each pixel that may belong to a block; 0 in all others."""
        shares = np.zeros(window.shape, np.float32)
        near = window.intersection(self._around(window.downsample)) if self.blocks else None
        if near is not None:
            shares[window.slices(near)] = self.tissue.coverage(near)
        return shares

    def _around(self, downsample: float) -> Window:
        """Return the window that holds all blocks."""
        columns, rows = zip(*self.blocks, strict=True)
        left, top = min(columns) * self.side, min(rows) * self.side
        right, bottom = (max(columns) + 1) * self.side, (max(rows) + 1) * self.side
        return Window.covering(Region.from_bounds(left, top, right, bottom), downsample)


def _blocks_under(tile: Window, side: float, *, margin: float) -> frozenset[tuple[int, int]]:
    left, top, right, bottom = tile.bounds
    columns = range(int((left - margin) // side), int((right + margin) // side) + 1)
    rows = range(int((top - margin) // side), int((bottom + margin) // side) + 1)
    return frozenset((column, row) for column in columns for row in rows)


def _hotter(first: HeatMap, second: HeatMap) -> HeatMap:
    # What was not asked for is cold.
    return HeatMap(np.maximum(first.values, second.values), first.window)
