"""Where a candidate comes from, for its card: what its training tiles look like, and what each slide gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from bridge.annotations import ClassScheme
from models.checkpoints import NetCard, PixelStatistics, SlideLineage
from models.data import MOST_TILE_PX, TrainingSlide, training_features

_LEAST_TILES = 9  # fewer say nothing of a spread: then nobody is warned of anything


def pixel_statistics(
    slides: Sequence[TrainingSlide], scheme: ClassScheme, net: NetCard, *, seed: int
) -> PixelStatistics | None:
    """Return how the tiles look that a net learned from, at its mpp; None where there are too few with tissue.

    The same slides, labels and seed give the same numbers, whether the training was resumed or not.
    """
    tile_px = min(net.tile_px, MOST_TILE_PX)
    features, of_slides = training_features(slides, scheme, mpp=net.mpp, tile_px=tile_px, seed=seed)
    if len(features) < _LEAST_TILES:
        return None
    return PixelStatistics.of(features, mpp=net.mpp, tile_px=tile_px, slides=of_slides)


def lineage(slides: Sequence[TrainingSlide]) -> Mapping[str, SlideLineage]:
    """Return what each slide gave: slide key → its share."""
    return {slide.key: _share(slide) for slide in slides}


def _share(slide: TrainingSlide) -> SlideLineage:
    plan = slide.plan
    held_out = shapely.union_all(list(plan.hold_out)) if plan.hold_out else shapely.Polygon()
    return SlideLineage(
        slide.revision,
        _outside([shape.geometry for shape in plan.shapes], held_out),
        _outside(plan.complete, held_out),
        len(plan.patch_labels),
    )


def _outside(areas: Sequence[BaseGeometry], held_out: BaseGeometry) -> int:
    """Count the areas that don't lie wholly within what is held out."""
    shapely.prepare(held_out)
    return int(np.count_nonzero(~shapely.covered_by(np.array(areas, dtype=object), held_out)))
