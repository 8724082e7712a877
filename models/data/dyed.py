"""Slides dyed like one reference picture, the same way whoever reads them: training, judging, predicting.

Macenko's normalization (see `models.data.stains`), with the dyes of the *slide*, found once from tiles that its tissue
decides: so each pixel changes the same way in any tile, of whatever size, and nothing drifts between training and
prediction. Ciga and Martel ("Learning to segment images with classification labels", 2021) normalize to one reference
picture, patch by patch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from bridge.coords import Window
from bridge.slides import RgbPixels, Slide, tissue_mask
from models.data.slides import TrainingSlide, clear_of, slide_downsample
from models.data.stains import Stains, find_stains, normalize_stains

_TILES, _TILE_PX = 16, 128
_TISSUE_SHARE = 0.5


class DyedSlide(Slide):
    """An open slide whose pixels look as if it had been dyed like the reference; all else is the slide's own.

    Parameters
    ----------
    slide
        Open; `close` closes it.
    reference
        What to look like.
    own
        The slide's dyes. None, where it shows no two: its pixels stay as they are.
    """

    def __init__(self, slide: Slide, reference: Stains, own: Stains | None) -> None:
        super().__init__(slide.path, slide.pyramid, slide.properties)
        self._slide = slide
        self._reference = reference
        self._own = own

    def read_level(self, level: int, x: int, y: int, width: int, height: int) -> RgbPixels:
        """Read a rectangle of one level, dyed; as the slide does."""
        return self._dyed(self._slide.read_level(level, x, y, width, height))

    def read_window(self, window: Window) -> RgbPixels:
        """Read a window, dyed after it was resampled: every pixel of a downsample is dyed once, by its own colour."""
        return self._dyed(self._slide.read_window(window))

    def close(self) -> None:
        """Close the slide."""
        self._slide.close()

    def _dyed(self, pixels: RgbPixels) -> RgbPixels:
        return pixels if self._own is None else normalize_stains(pixels, self._reference, self._own)


def dye_like(slide: Slide, reference: Stains, mpp: float) -> DyedSlide:
    """Return a slide dyed like the reference; the same for the same slide, reference and mpp.

    Parameters
    ----------
    slide
        Open.
    reference
        What to look like.
    mpp
        µm per pixel that the slide's dyes are looked for at: the net's.

    Raises
    ------
    MissingResolutionError, SlideError
        The slide has no mpp, or is damaged where it has tissue.
    """
    return DyedSlide(slide, reference, slide_stains(slide, mpp))


def slide_stains(slide: Slide, mpp: float) -> Stains | None:
    """Return the dyes of a slide, found in up to 16 tiles spread over its tissue; None where it shows no two.

    Raises
    ------
    MissingResolutionError, SlideError
        As `dye_like`.
    """
    tiles = list(_tissue_tiles(slide, mpp))
    return find_stains(np.concatenate(tiles)) if tiles else None


def reference_stains(slides: Sequence[TrainingSlide], mpp: float) -> Stains | None:
    """Return the dyes of one picture, as the paper takes one: the first tile of tissue, by slide, that shows two.

    What is held out is not looked at: the reference is part of the model.

    Raises
    ------
    MissingResolutionError, SlideError
        As `dye_like`.
    """
    tiles = (tile for slide in slides for tile in _tissue_tiles(slide.slide, mpp, slide.plan.hold_out))
    return next((stains for stains in map(find_stains, tiles) if stains is not None), None)


def _tissue_tiles(slide: Slide, mpp: float, barred: Sequence[BaseGeometry] = ()) -> Iterator[NDArray[np.uint8]]:
    downsample = slide_downsample(slide, mpp)
    tissue = tissue_mask(slide)
    places = clear_of(barred, tissue.tiles(_TILE_PX, downsample, min_fraction=_TISSUE_SHARE))
    places = places or clear_of(barred, tissue.tiles(_TILE_PX, downsample))
    if places:
        for index in np.unique(np.linspace(0, len(places) - 1, _TILES).round().astype(int)).tolist():
            yield slide.read_window(places[index])
