"""Some tiles of a project's own slides, as one network sees them: what an exported copy is checked on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bridge.coords import Window
from bridge.errors import BridgeError
from bridge.slides import Slide, TissueOptions, open_slide, tissue_mask
from bridge.store import Store
from models.data import slide_downsample
from models.inference import Predictor
from scripts.exporting.errors import ExportError
from scripts.loop.pull import read_entry
from scripts.naming.project_names import project_names
from scripts.project import Project

logger = logging.getLogger(__name__)

MOST_TILES, MOST_SLIDES = 6, 3
_LOOKED_THROUGH = 4096  # tiles with tissue; those that are taken are spread over them
_MOSTLY = 0.5  # of a tile is tissue
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class RealTiles:
    """Tiles that lie on tissue.

    Parameters
    ----------
    pixels
        uint8, (n, side, side, channels); a fourth channel, where the network wants a heat map, is how dark the tile is.
    slides
        How many slides they are from.
    """

    pixels: NDArray[np.uint8]
    slides: int


def real_tiles(project: Project, store: Store, net: Predictor, tile_px: int) -> RealTiles:
    """Read a few tiles of the first slides that can be read, dyed as the network saw them in training.

    Raises
    ------
    ExportError
        No slide of the project can be read.
    """
    found: list[NDArray[np.uint8]] = []
    slides, reason = 0, "it has none"
    entries = project.source.slides()
    names = project_names(project, entries)
    for entry in entries:
        try:
            reading = read_entry(project, store, entry)
            with open_slide(reading.slide_path, mpp=reading.mpp) as slide:
                found += _tiles_of(slide, net, tile_px, project.settings.tissue)
        except BridgeError as error:
            reason = names.hide(str(error))
            logger.warning("slide=%s can't be read, others are tried: %s", names.of(entry.key), reason)
            continue
        slides += 1
        if slides == MOST_SLIDES:
            break
    if not found:
        raise ExportError(f"the model is checked on tiles of the project's slides, and none can be read: {reason}")
    return RealTiles(_with_channels(np.stack(_spread(found, MOST_TILES)), len(net.card.normalization.mean)), slides)


def _tiles_of(slide: Slide, net: Predictor, tile_px: int, tissue: TissueOptions) -> list[NDArray[np.uint8]]:
    downsample = slide_downsample(slide, net.mpp)
    mask = tissue_mask(slide, tissue)
    windows = list(islice(mask.tiles(tile_px, downsample, min_fraction=_MOSTLY), _LOOKED_THROUGH))
    if not windows:
        windows = list(islice(mask.tiles(tile_px, downsample), _LOOKED_THROUGH))
    if not windows:  # no tissue found: any place is real
        windows = [Window(0, 0, tile_px, tile_px, downsample)]
    seen = net.seen(slide)
    return [seen.read_window(window) for window in _spread(windows, MOST_TILES)]


def _spread(items: Sequence[T], count: int) -> list[T]:
    places = np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int))
    return [items[place] for place in places]


def _with_channels(pixels: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    if channels == pixels.shape[-1]:
        return pixels
    darkness = 255 - pixels.mean(axis=-1, keepdims=True).round().astype(np.uint8)
    return np.concatenate((pixels, darkness), axis=-1)
