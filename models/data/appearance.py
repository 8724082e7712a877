"""How tiles look, in six numbers each: what stain, how much of it, on which scanner.

Features of a tile, each in decimal optical density (`models.data.stains.optical_density`), over its tissue pixels::

    0–2   mean of red, green, blue        colour and strength of the stain, and the scanner's white balance
    3–5   standard deviation of the same  contrast: counterstain, thickness, focus

Glass (length of the density vector up to 0.15) and black (beyond the scan, ink) are left out, as Macenko's stains leave
them out, so that a tile's share of glass doesn't change its numbers. A tile that is nearly all glass has none.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from bridge.annotations import IGNORE_LABEL, ClassScheme, Part
from bridge.coords import Window
from bridge.errors import SlideError
from bridge.raster import PlanRaster
from bridge.slides import Slide, TissueMask, tissue_mask
from models.data.slides import TrainingSlide, clear_of
from models.data.stains import optical_density

logger = logging.getLogger(__name__)

FEATURES = 6
MOST_TILE_PX = 128  # of a measured tile: more pixels say nothing new about colour
_GLASS = 0.15  # length of the optical density vector up to which a pixel is glass
_BLACK = 1.2  # optical density in all three channels above which it is no tissue
_LEAST_TISSUE = 0.1  # share of a tile
_TRIES = 8  # places looked at for each tile wanted, before a slide is taken to have no more
_MOSTLY_TISSUE = 0.5  # share of a tile's ground, where there are such tiles

Features = NDArray[np.float64]


def tile_features(pixels: NDArray[np.uint8]) -> Features | None:
    """Return the six features of a tile, or None where less than a tenth of it is tissue.

    Parameters
    ----------
    pixels
        uint8, shape (height, width, 3), RGB.
    """
    density = optical_density(pixels).reshape(-1, 3)
    tissue = density[(np.linalg.norm(density, axis=1) > _GLASS) & (density.min(axis=1) < _BLACK)]
    if len(tissue) < max(1.0, _LEAST_TISSUE * len(density)):
        return None
    return np.concatenate((tissue.mean(axis=0), tissue.std(axis=0)))


def features_at(slide: Slide, windows: Iterable[Window], *, most: int) -> Features:
    """Return the features of the first tiles with tissue among some: shape (tiles, 6), at most ``most`` tiles.

    Parameters
    ----------
    windows
        Any on the slide; what of them lies beyond it isn't looked at. They are asked for one by one.

    Raises
    ------
    SlideError
        The slide is damaged there.
    """
    found = islice((features for window in windows if (features := _features(slide, window)) is not None), most)
    return np.array(list(found), np.float64).reshape(-1, FEATURES)


def training_features(
    slides: Sequence[TrainingSlide], scheme: ClassScheme, *, mpp: float, tile_px: int, most: int = 64, seed: int = 0
) -> tuple[Features, int]:
    """Measure tiles of the slides that a training learned from: half from all over the tissue, half from what trained.

    Those around labelled places alone would say too little: one labelled box looks like itself and nothing else, and
    the rest of its slide would lie far from it. Stain and scanner are the slide's.

    No tile touches what is held out. Every slide gives as many, whatever its size; the same slides, labels and seed
    give the same numbers. A slide on which nothing trains gives none, and one that can't be read is passed over: what
    it looks like is a help, not worth a training.

    Parameters
    ----------
    mpp, tile_px
        Of the tiles.
    most
        Tiles in all; with more slides than that, so many slides give one each.

    Returns
    -------
    tuple
        float64, shape (tiles, 6), perhaps none; and how many slides they are of.
    """
    generator = np.random.default_rng((seed, len(slides)))
    chosen = sorted(generator.permutation(len(slides))[:most].tolist())
    each = max(1, most // max(1, len(chosen)))
    found, of_slides = [], 0
    for place in chosen:
        slide = slides[place]
        try:
            labelled = _labelled_windows(slide, scheme, mpp, tile_px, each * _TRIES, generator)
            ground = _ground_windows(slide, mpp, tile_px, each // 2 * _TRIES, generator) if labelled else []
            around = features_at(slide.slide, ground, most=each // 2)
            found += [around, features_at(slide.slide, labelled, most=each - len(around))]
            of_slides += len(found[-1]) > 0
        except SlideError as error:
            logger.warning("slide=%s is not among those whose look is remembered: %s", slide.slide.path.name, error)
    return np.concatenate([np.zeros((0, FEATURES)), *found]), of_slides


def tissue_windows(tissue: TissueMask, tile_px: int, downsample: float, generator: np.random.Generator) -> list[Window]:
    """Return tiles with tissue from all over a slide, side by side, in an order that chance decides.

    They are half tissue or more, where there are such tiles.
    """
    tiles = list(tissue.tiles(tile_px, downsample, min_fraction=_MOSTLY_TISSUE))
    tiles = tiles or list(tissue.tiles(tile_px, downsample))
    return [tiles[place] for place in generator.permutation(len(tiles)).tolist()]


def _features(slide: Slide, window: Window) -> Features | None:
    inside = window.intersection(slide.pyramid.window_at(window.downsample))
    return None if inside is None else tile_features(slide.read_window(inside))


def _ground_windows(
    slide: TrainingSlide, mpp: float, tile_px: int, tries: int, generator: np.random.Generator
) -> list[Window]:
    """Return tiles from all over the tissue; no more than tried, for ink passes for tissue and isn't measured."""
    windows = tissue_windows(tissue_mask(slide.slide), tile_px, slide.downsample(mpp), generator)
    return clear_of(slide.plan.hold_out, windows)[:tries]


def _labelled_windows(
    slide: TrainingSlide, scheme: ClassScheme, mpp: float, tile_px: int, tries: int, generator: np.random.Generator
) -> list[Window]:
    """Return tiles around places that train, by area; fewer than tried, for areas are no boxes."""
    raster = PlanRaster(slide.plan, scheme, slide.downsample(mpp), Part.TRAINING)
    boxes = [area.bounds for area in raster.areas]
    patches = [patch.region.bounds for patch in slide.plan.patch_labels]
    bounds = np.array([*boxes, *patches], np.float64).reshape(-1, 4)
    sizes = (bounds[:, 2] - bounds[:, 0]) * (bounds[:, 3] - bounds[:, 1])
    if not len(bounds) or sizes.sum() <= 0:
        return []
    boxes_drawn = generator.choice(len(bounds), size=tries, p=sizes / sizes.sum())
    shares = generator.random((tries, 2))
    points = bounds[boxes_drawn, :2] + shares * (bounds[boxes_drawn, 2:] - bounds[boxes_drawn, :2])
    downsample = slide.downsample(mpp)
    windows = []
    for place, (x, y) in zip(boxes_drawn.tolist(), np.floor(points / downsample).astype(int).tolist(), strict=True):
        if place >= len(boxes) or _trains(raster, Window(x, y, 1, 1, downsample)):
            windows.append(_around(x, y, tile_px, downsample))
    return clear_of(slide.plan.hold_out, windows)


def _trains(raster: PlanRaster, pixel: Window) -> bool:
    return bool(raster.burn(pixel).labels[0, 0] != IGNORE_LABEL)


def _around(x: int, y: int, tile_px: int, downsample: float) -> Window:
    return Window(x - tile_px // 2, y - tile_px // 2, tile_px, tile_px, downsample)
