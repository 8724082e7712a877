"""A predicted slide against its truth: pixels, and objects one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from bridge.annotations import ClassScheme, Part
from bridge.coords import um2_to_px2
from bridge.raster import LabelMask, PlanRaster, ProbabilityMap, vectorize_bands
from bridge.slides import Slide
from models.data import TrainingSlide
from models.metrics import Confusion

LEAST_IOU = 0.5
"""A predicted object is found truth from this overlap on: no truth can then be found twice."""


@dataclass(frozen=True, slots=True)
class ObjectCounts:
    """How objects were found; adding two gives those of both slides.

    Parameters
    ----------
    found
        Predicted objects that overlap a true one by ``LEAST_IOU`` or more.
    false_positives
        Predicted objects that don't.
    missed
        True objects that none was found for.
    """

    found: int = 0
    false_positives: int = 0
    missed: int = 0

    def __add__(self, other: ObjectCounts) -> ObjectCounts:
        return ObjectCounts(
            self.found + other.found, self.false_positives + other.false_positives, self.missed + other.missed
        )

    @property
    def f1(self) -> float:
        """``2 TP / (2 TP + FP + FN)``; NaN without any object."""
        below = 2 * self.found + self.false_positives + self.missed
        return 2 * self.found / below if below else float("nan")


def count_objects(predicted: Sequence[BaseGeometry], truth: Sequence[BaseGeometry]) -> ObjectCounts:
    """Match predicted objects with true ones of the same class; neither set overlaps itself."""
    tree = shapely.STRtree(list(truth))
    found = 0
    for outline in predicted:
        around = [truth[i] for i in tree.query(outline)]
        found += any(_iou(outline, other) >= LEAST_IOU for other in around)
    return ObjectCounts(found, len(predicted) - found, len(truth) - found)


def objects_of(bands: Iterable[LabelMask], label: int, least_px2: float) -> list[Polygon]:
    """Return the outlines of a label, without holes, in level-0 pixels; smaller ones are left out, as in exports."""
    outlines = [Polygon(polygon.exterior) for found, polygon in vectorize_bands(bands) if found == label]
    return [outline for outline in outlines if outline.area >= least_px2]


def least_px2(slide: Slide, area_um2: float) -> float:
    """Return an area in level-0 px² of a slide of known mpp."""
    assert slide.pyramid.mpp is not None
    return um2_to_px2(area_um2, slide.pyramid.mpp)


def confusion_of(slide: TrainingSlide, scheme: ClassScheme, bands: Iterable[LabelMask]) -> Confusion:
    """Count predicted against labelled pixels on the bands' grid."""
    confusion = Confusion.empty(scheme.names)
    raster: PlanRaster | None = None
    for band in bands:
        raster = raster or PlanRaster(slide.plan, scheme, band.window.downsample, Part.TRAINING)
        truth: NDArray[np.uint8] = raster.burn(band.window).labels
        confusion = confusion + Confusion.from_labels(truth, band.labels, scheme.names)
    return confusion


def most_probable(bands: Iterable[ProbabilityMap]) -> list[LabelMask]:
    """Return the bands' classes; a byte per pixel is kept of each."""
    return [band.most_probable() for band in bands]


def _iou(one: BaseGeometry, other: BaseGeometry) -> float:
    shared = one.intersection(other).area
    return float(shared / (one.area + other.area - shared))
