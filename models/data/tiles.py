"""The dataset: fetches *what* is at a window, pixels and labels, straight from the slide."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bridge.annotations import IGNORE_LABEL, ClassScheme, Part
from bridge.coords import Window
from bridge.errors import SlideError
from bridge.raster import PlanRaster
from models.data.cache import ArrayCache, Arrays
from models.data.guided import pixels_beyond
from models.data.slides import Tile, TrainingSlide
from models.errors import DamagedSlideError

_BLOCK_PX = 256


class _SlideTiles:
    """One slide: its grid, the reader and the raster."""

    def __init__(self, slide: TrainingSlide, scheme: ClassScheme, mpp: float, part: Part) -> None:
        self.slide = slide
        self.beyond = np.array(pixels_beyond(slide.slide), np.uint8)
        downsample = slide.downsample(mpp)
        self.extent = slide.slide.pyramid.window_at(downsample)
        self.raster = PlanRaster(slide.plan, scheme, downsample, part)

    def read(self, block: Window) -> Arrays:
        return self.slide.slide.read_window(block), self.raster.burn(block).labels


class TileDataset:
    """Tiles of labelled slides at one working mpp; decoded blocks are kept while memory allows.

    Parameters
    ----------
    slides
        Keys are unique.
    scheme
        What the labels mean.
    mpp
        Working µm per pixel; per slide the grid of ``downsample_for(slide mpp, mpp)`` is used.
    part
        Whether training labels or held-out ones are shown.
    cache_mb
        Bound of the decoded blocks kept.

    Raises
    ------
    MissingResolutionError
        A slide without mpp.
    UnknownPathClassError
        A plan made with another scheme.
    ValueError
        Two slides of one key.
    """

    def __init__(
        self,
        slides: Sequence[TrainingSlide],
        scheme: ClassScheme,
        mpp: float,
        part: Part = Part.TRAINING,
        *,
        cache_mb: float = 512.0,
    ) -> None:
        self._slides = {slide.key: _SlideTiles(slide, scheme, mpp, part) for slide in slides}
        if len(self._slides) < len(slides):
            raise ValueError(f"two of {len(slides)} slides have the same key")
        self._cache = ArrayCache(int(cache_mb * 2**20))

    def extent(self, slide_key: str) -> Window:
        """Return the whole slide on its working grid."""
        return self._slides[slide_key].extent

    def raster(self, slide_key: str) -> PlanRaster:
        """Return the labels of a slide on its working grid."""
        return self._slides[slide_key].raster

    def read(self, slide_key: str, window: Window) -> Tile:
        """Fetch one tile.

        Parameters
        ----------
        slide_key
            A slide of the dataset.
        window
            On the slide's working grid; may reach beyond the slide: white there (a heat map is 0), and ignored.

        Raises
        ------
        DamagedSlideError
            The slide is damaged there.
        """
        slide = self._slides[slide_key]
        pixels = np.tile(slide.beyond, (*window.shape, 1))
        labels = np.full(window.shape, IGNORE_LABEL, np.uint8)
        inside = window.intersection(slide.extent)
        if inside is not None:
            for block in _blocks_under(inside, slide.extent):
                self._paste(slide, slide_key, block, window, pixels, labels)
        return Tile(pixels, labels, slide_key, window)

    def _paste(
        self,
        slide: _SlideTiles,
        key: str,
        block: Window,
        window: Window,
        pixels: NDArray[np.uint8],
        labels: NDArray[np.uint8],
    ) -> None:
        shared = block.intersection(window)
        if shared is None:
            return
        block_pixels, block_labels = self._cache.get((key, block.x, block.y), lambda: _read(slide, key, block))
        pixels[window.slices(shared)] = block_pixels[block.slices(shared)]
        labels[window.slices(shared)] = block_labels[block.slices(shared)]


def _read(slide: _SlideTiles, key: str, block: Window) -> Arrays:
    try:
        return slide.read(block)
    except SlideError as error:
        raise DamagedSlideError(str(error), key) from error


def _blocks_under(window: Window, extent: Window) -> list[Window]:
    """Return the blocks of the slide's fixed lattice that a window inside the slide touches."""
    blocks = []
    for y in range(window.y // _BLOCK_PX * _BLOCK_PX, window.bottom, _BLOCK_PX):
        for x in range(window.x // _BLOCK_PX * _BLOCK_PX, window.right, _BLOCK_PX):
            block = Window(x, y, _BLOCK_PX, _BLOCK_PX, window.downsample).intersection(extent)
            if block is not None:
                blocks.append(block)
    return blocks
