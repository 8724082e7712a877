"""Any design's map of a slide on one grid, and its scores there: what is compared is not the designs' own grids."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from bridge.annotations import IGNORE_LABEL, ClassScheme, Part
from bridge.coords import Window
from bridge.raster import PlanRaster, ProbabilityMap
from bridge.slides import Slide
from bridge.slides.tissue_rules import otsu, saturation
from models.data import TrainingSlide
from models.metrics import Confusion

JUDGING_PX = 1024
"""Longer side of the grid: what H2G-Net's refinement and its Otsu baseline see."""
_THRESHOLD = 0.5  # the paper's, of all designs


def judging_window(slide: Slide, side_px: int = JUDGING_PX) -> Window:
    """Return the whole slide on a grid of at most so many pixels a side; level 0 where that is smaller."""
    return slide.pyramid.window_at(max(1.0, max(slide.pyramid.dimensions[0]) / side_px))


def otsu_mask(slide: Slide, window: Window) -> NDArray[np.uint8]:
    """Return 1 where HSV saturation lies above Otsu's threshold of the window, else 0 (H2G-Net's design I).

    It segments all tissue, trains nothing, and is what any trained design has to beat.

    Raises
    ------
    SlideError
        The slide is damaged there.
    """
    values = saturation(slide.read_window(window))
    return (values > otsu(values)).astype(np.uint8)


def found_mask(maps: Iterable[ProbabilityMap], window: Window) -> NDArray[np.uint8]:
    """Return 1 where any class but the background is more probable than not, else 0.

    A pixel takes the probability of the map's pixel that holds its centre: a heat map of patches shows its squares.

    Parameters
    ----------
    maps
        Of any one grid; where none of them lies, nothing is found.
    window
        Of the result.
    """
    found = np.zeros(window.shape, dtype=np.uint8)
    for part in maps:
        rows = _indices(window.y, window.height, window.downsample, part.window.y, part.window.downsample)
        columns = _indices(window.x, window.width, window.downsample, part.window.x, part.window.downsample)
        in_rows = np.flatnonzero((rows >= 0) & (rows < part.window.height))
        in_columns = np.flatnonzero((columns >= 0) & (columns < part.window.width))
        is_found = 1 - part.probabilities[0] > _THRESHOLD
        found[np.ix_(in_rows, in_columns)] = is_found[np.ix_(rows[in_rows], columns[in_columns])]
    return found


def confusion_on(
    slide: TrainingSlide, scheme: ClassScheme, found: NDArray[np.uint8], window: Window, part: Part = Part.TRAINING
) -> Confusion:
    """Count found pixels (1, else 0) of a window against the slide's labels, its classes taken together."""
    truth = PlanRaster(slide.plan, scheme, window.downsample, part).burn(window).labels
    is_class = np.where((truth != 0) & (truth != IGNORE_LABEL), np.uint8(1), truth)
    return Confusion.from_labels(is_class, found, (scheme.names[0], "any class"))


def _indices(start: int, count: int, downsample: float, map_start: int, map_downsample: float) -> NDArray[np.int64]:
    """Return for each pixel along one axis which pixel of the map holds its centre."""
    centres = (np.arange(start, start + count, dtype=np.float64) + 0.5) * downsample
    return np.floor(centres / map_downsample).astype(np.int64) - map_start
