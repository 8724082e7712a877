"""L2S's tiles of wholly labelled pictures, and label plans that teach some of them only."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from bridge.annotations import ClassScheme, LabelledShape, LabelPlan, Part, PatchLabel
from bridge.coords import Region, Window
from bridge.raster import PlanRaster
from bridge.slides import TissueMask
from models.data import TrainingSlide
from models.data.weak_subsets import TileUse, WeakSubset, sort_tile

LEAST_FOREGROUND = 0.75
"""Share of tissue that a tile of a slide needs (the paper's rule)."""


@dataclass(frozen=True, slots=True)
class CutTile:
    """One tile of a picture.

    Parameters
    ----------
    slide_key
        The picture.
    region
        Level-0 pixels.
    use
        What it is good for, by the paper's rule.
    label
        Of a classification patch.
    classes
        Labels that its mask shows.
    """

    slide_key: str
    region: Region
    use: TileUse
    label: int | None
    classes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TileStock:
    """All tiles of the training pictures by what they are good for.

    Parameters
    ----------
    masks
        Tiles of exactly two classes.
    labels
        Tiles that one class covers by 90 % or more.
    useless
        How many others there are: three classes and more, or neither.
    """

    masks: tuple[CutTile, ...]
    labels: tuple[CutTile, ...]
    useless: int

    @classmethod
    def of(cls, tiles: Iterable[CutTile]) -> TileStock:
        """Sort tiles, their order kept."""
        every = list(tiles)
        masks = tuple(tile for tile in every if tile.use is TileUse.MASK)
        labels = tuple(tile for tile in every if tile.use is TileUse.LABEL)
        return cls(masks, labels, len(every) - len(masks) - len(labels))

    @property
    def label_counts(self) -> dict[int, int]:
        """Label → classification patches."""
        return dict(sorted(Counter(tile.label for tile in self.labels if tile.label is not None).items()))


def cut_tiles(
    slide: TrainingSlide, scheme: ClassScheme, mpp: float, tile_px: int, tissue: TissueMask | None = None
) -> list[CutTile]:
    """Cut a wholly labelled picture into whole tiles, left to right, top to bottom.

    Parameters
    ----------
    slide
        With its truth as plan.
    scheme
        What the labels mean.
    mpp, tile_px
        Working µm per pixel, and the tiles' side in such pixels.
    tissue
        Tiles with less of it than ``LEAST_FOREGROUND`` are left out; None keeps all.
    """
    downsample = slide.downsample(mpp)
    extent = slide.slide.pyramid.window_at(downsample)
    raster = PlanRaster(slide.plan, scheme, downsample, Part.TRAINING)
    tiles = []
    for y in range(0, extent.height - tile_px + 1, tile_px):
        for x in range(0, extent.width - tile_px + 1, tile_px):
            window = Window(x, y, tile_px, tile_px, downsample)
            if tissue is None or tissue.fraction(window.to_region()) >= LEAST_FOREGROUND:
                tiles.append(_cut(slide.key, window, raster))
    return tiles


def teach(slides: Sequence[TrainingSlide], stock: TileStock, subset: WeakSubset) -> list[TrainingSlide]:
    """Return the slides with plans that say nothing but the subset's masks and patch labels.

    Slides that the subset leaves without either are left out.
    """
    masks, labels = defaultdict(list), defaultdict(list)
    for index in subset.masks:
        masks[stock.masks[index].slide_key].append(stock.masks[index].region)
    for index in subset.labels:
        labels[stock.labels[index].slide_key].append(stock.labels[index])
    taught = [replace(slide, plan=_plan(slide.plan, masks[slide.key], labels[slide.key])) for slide in slides]
    return [slide for slide in taught if not slide.plan.is_empty]


def held_out(slide: TrainingSlide) -> TrainingSlide:
    """Return the slide with all that is labelled on it held out: it judges and teaches nothing."""
    return replace(slide, plan=replace(slide.plan, hold_out=slide.plan.complete))


def _cut(slide_key: str, window: Window, raster: PlanRaster) -> CutTile:
    labels = raster.burn(window).labels
    sort = sort_tile(labels)
    classes = tuple(int(label) for label in np.unique(labels))
    return CutTile(slide_key, window.to_region(), sort.use, sort.label, classes)


def _plan(truth: LabelPlan, masks: Sequence[Region], labels: Sequence[CutTile]) -> LabelPlan:
    boxes = tuple(region.to_polygon() for region in masks)
    shapes = tuple(_clipped(truth.shapes, shapely.union_all(boxes))) if boxes else ()
    patches = tuple(PatchLabel(tile.region, tile.label) for tile in labels if tile.label is not None)
    return LabelPlan(truth.slide_key, shapes, complete=boxes, patch_labels=patches)


def _clipped(shapes: Iterable[LabelledShape], area: BaseGeometry) -> Iterable[LabelledShape]:
    for shape in shapes:
        inside = shapely.intersection(shape.geometry, area)
        polygons = [part for part in shapely.get_parts(inside) if part.geom_type == "Polygon"]
        if polygons:
            yield LabelledShape(shapely.union_all(polygons), shape.label, shape.is_blind)
