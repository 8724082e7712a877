"""Tiles for patch labels: one class for a box that an expert named, no mask.

A box at least as large as a tile gives tiles that lie inside it, drawn anew each time; a smaller one gives the tile
centred on it, with what surrounds it. Each side goes by its own length. A tile has one label for all of its pixels: so
boxes whose tiles would show what is held out, or much of what is ignored, give none.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
import torch
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry
from torch import Tensor

from bridge.annotations import PatchLabel
from bridge.coords import Region, Window
from models.data.batches import BatchMaker
from models.data.sampler import Places, SamplingOptions, TileSpot
from models.data.slides import TrainingSlide
from models.data.tree import ReplayTrees

logger = logging.getLogger(__name__)

_PLACE_STREAM, _PIXEL_STREAM = 3, 4  # tell these generators from those of masks
_FRESH_SHARE = 0.5  # of a box that must be new: a corner of a new area doesn't make an old box new
_MOST_IGNORED = 0.25  # of a tile
_TOUCHING = 1e-3  # level-0 px²: what neighbours may share by rounding

Boxes = NDArray[np.float64]  # (n, 4): left, top, right, bottom in pixels of the working grid


@dataclass(frozen=True, eq=False)
class PatchIndex:
    """The patch labels of one slide.

    Parameters
    ----------
    slide_key
        The slide.
    extent
        The whole slide on its working grid.
    boxes
        Label → (n, 4) float64: left, top, right, bottom in working pixels, in the plan's order. Labels that no box has
        are left out.
    fresh
        As ``boxes``, those that lie by half or more within the plan's emphasis areas.
    """

    slide_key: str
    extent: Window
    boxes: Mapping[int, Boxes]
    fresh: Mapping[int, Boxes]

    @property
    def counts(self) -> dict[int, int]:
        """Label → boxes."""
        return {label: len(boxes) for label, boxes in self.boxes.items()}


def index_patch_labels(slide: TrainingSlide, mpp: float, tile_px: int) -> PatchIndex:
    """Return where a slide's patch labels lie on the grid of a working mpp.

    Boxes are cut to the slide. Left out are those off it, and those of which a tile could share pixels with what is
    held out, or have more than a quarter ignored.

    Parameters
    ----------
    slide
        With its plan.
    mpp
        Working µm per pixel.
    tile_px
        Side of the tiles that will be drawn, in working pixels.

    Raises
    ------
    MissingResolutionError
        The slide has no mpp.
    """
    downsample, labels = slide.downsample(mpp), slide.plan.patch_labels
    extent = slide.slide.pyramid.window_at(downsample)
    patches = _usable(slide, extent, tile_px)
    if len(patches) < len(labels):
        logger.info(
            "patch labels left out, off the slide or beside held-out or ignored areas slide=%s patch_labels=%d",
            slide.key,
            len(labels) - len(patches),
        )
    fresh = _fresh(patches, slide.plan.emphasis)
    return PatchIndex(slide.key, extent, _by_label(patches, downsample), _by_label(fresh, downsample))


class LabelSampler:
    """Draws the tiles of each batch of patch labels, down the same tree as those of masks.

    Parameters
    ----------
    indices, metadata, tile_px, seed
        As `TreeSampler`.
    options
        The tree and the replay; jitter plays no part.

    Raises
    ------
    ValueError
        No slide has a patch label.
    """

    def __init__(
        self,
        indices: Sequence[PatchIndex],
        metadata: Mapping[str, Mapping[str, str]],
        *,
        tile_px: int,
        options: SamplingOptions | None = None,
        seed: int = 0,
    ) -> None:
        options = options or SamplingOptions()
        old = Places.of(((i, i.boxes) for i in indices), metadata)
        new = Places.of(((i, i.fresh) for i in indices), metadata)
        if not old:
            raise ValueError("no slide has a patch label")
        self._trees = ReplayTrees.grow(old, new, options.tree, options.replay)
        self._tile_px = tile_px
        self._seed = seed

    def batch(self, step: int, size: int) -> list[TileSpot]:
        """Return the tiles of one batch: first those of all patch labels, then those of new ones."""
        generator = np.random.default_rng((self._seed, step, _PLACE_STREAM))
        return [self._spot(tree.draw(generator), generator) for tree in self._trees.of_batch(size)]

    def _spot(self, leaf: Places[PatchIndex], generator: np.random.Generator) -> TileSpot:
        left, top, right, bottom = leaf.rows[generator.integers(leaf.size)]
        extent, size = leaf.index.extent, self._tile_px
        x = _start(left, right, size, (extent.x, extent.right), generator)
        y = _start(top, bottom, size, (extent.y, extent.bottom), generator)
        return TileSpot(leaf.index.slide_key, Window(x, y, size, size, extent.downsample), leaf.label)


class LabelMaker(BatchMaker):
    """From a step's number to its batch of tiles and their classes; parameters as `BatchMaker`."""

    def make(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the batch of one step: pixels float32 (n, 3, side, side) 0–255, labels int64 (n,).

        Raises
        ------
        SlideError
            A slide can't be read.
        """
        spots = self._sampler.batch(step, self._batch_size)
        portion = self._share.portion(len(spots))
        read = [self._dataset.read(spot.slide_key, spot.window).pixels for spot in spots[portion.to_read]]
        pixels = np.stack(read)[: len(portion)]
        generator = np.random.default_rng((self._seed, step, _PIXEL_STREAM))
        changed, _ = self._augmentation(pixels, np.zeros(pixels.shape[:3], np.uint8), generator, portion)
        return changed, torch.tensor([spot.label for spot in spots[portion.rows]], dtype=torch.int64)


def _usable(slide: TrainingSlide, extent: Window, tile_px: int) -> list[PatchLabel]:
    """Return the patch labels, cut to the slide, whose tiles show nothing held out and not much that is ignored."""
    held_out, ignored = (shapely.union_all(list(areas)) for areas in (slide.plan.hold_out, slide.plan.ignore))
    most_ignored = _MOST_IGNORED * (tile_px * extent.downsample) ** 2
    usable = []
    for patch in slide.plan.patch_labels:
        region = patch.region.intersection(slide.slide.pyramid.bounds)
        if region is None:
            continue
        seen = _reach(region, extent, tile_px)
        if seen.intersection(held_out).area < _TOUCHING and seen.intersection(ignored).area <= most_ignored:
            usable.append(PatchLabel(region, patch.label))
    return usable


def _fresh(patches: Sequence[PatchLabel], emphasis: Sequence[BaseGeometry]) -> list[PatchLabel]:
    areas = np.array(emphasis, dtype=object)
    tree = shapely.STRtree(areas)  # of a new project every box is an area of emphasis itself
    return [patch for patch in patches if _is_fresh(patch, areas[tree.query(patch.region.to_polygon())])]


def _is_fresh(patch: PatchLabel, near: NDArray[np.object_]) -> bool:
    box = patch.region.to_polygon()
    return bool(shapely.union_all(shapely.intersection(near, box)).area >= _FRESH_SHARE * box.area)


def _by_label(patches: Sequence[PatchLabel], downsample: float) -> dict[int, Boxes]:
    labels = sorted({patch.label for patch in patches})
    return {
        label: np.array([p.region.bounds for p in patches if p.label == label], np.float64) / downsample
        for label in labels
    }


def _reach(region: Region, extent: Window, tile_px: int) -> shapely.Polygon:
    """Return the level-0 area that all tiles of a box lie in: the box, or the tile that is centred on it."""
    d = extent.downsample
    left, right = _ends(region.x / d, region.right / d, tile_px, (extent.x, extent.right))
    top, bottom = _ends(region.y / d, region.bottom / d, tile_px, (extent.y, extent.bottom))
    return shapely.box(left * d, top * d, right * d, bottom * d)


def _ends(low: float, high: float, size: int, slide: tuple[int, int]) -> tuple[int, int]:
    """Return between what ends tiles lie along one side of a box: inside it, or one centred on it, on the slide."""
    first, last = int(np.ceil(low)), int(np.floor(high))
    if last - first >= size:
        return first, last
    centred = int(np.floor((low + high) / 2 - size / 2 + 0.5))
    start = max(slide[0], min(centred, slide[1] - size))
    return start, start + size


def _start(low: float, high: float, size: int, slide: tuple[int, int], generator: np.random.Generator) -> int:
    """Return where a tile begins along one side of a box.

    One number is drawn whatever the box, so that one box's size doesn't change what is drawn for the next.
    """
    first, end = _ends(low, high, size, slide)
    return first + int(generator.random() * (end - size - first + 1))
