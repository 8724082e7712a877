"""Scores of a predictor on labelled areas, by default the hold-out's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bridge.annotations import ClassScheme, Part
from bridge.coords import Window
from bridge.errors import SlideError
from bridge.raster import LabelMask, ProbabilityMap
from bridge.slides import Slide
from models.data import Tile, TileDataset, TrainingSlide
from models.errors import DamagedSlideError
from models.metrics import Confusion, Scores
from models.training.holdout import labelled_tiles

_TILE_PX = 256


class WindowPredictor(Protocol):
    """What can be judged: a net or a whole design."""

    @property
    def names(self) -> tuple[str, ...]:
        """Class names, by plane."""
        ...

    @property
    def mpp(self) -> float:
        """µm per pixel."""
        ...

    def predict_window(self, slide: Slide, window: Window, *, margin_px: int = 32) -> ProbabilityMap:
        """Return the map of one window, seen with its surroundings."""
        ...


def evaluate(
    predictor: WindowPredictor,
    slides: Sequence[TrainingSlide],
    scheme: ClassScheme,
    *,
    part: Part = Part.HOLD_OUT,
    tile_px: int = _TILE_PX,
    most_tiles: int | None = None,
) -> Scores:
    """Count what is predicted where against what is labelled there.

    Parameters
    ----------
    predictor
        Its classes are matched with the scheme's by name; one that the scheme doesn't have counts as background.
    slides
        Open, with their plans.
    scheme
        What the labels mean.
    part
        Held-out areas, labelled blind; or the training areas.
    tile_px
        Side of the windows, in working pixels.
    most_tiles
        Judge on about so many windows where there are more, the same each time; None judges on all.

    Returns
    -------
    Scores
        Of the labelled pixels of the part, all slides together; of no pixels where nothing is held out.

    Raises
    ------
    DamagedSlideError, MissingResolutionError
        A slide is damaged, or its mpp unknown.
    """
    dataset = TileDataset(slides, scheme, predictor.mpp, part, cache_mb=0)
    opened = {slide.key: slide.slide for slide in slides}
    to_scheme = _labels_by_name(predictor.names, scheme.names)
    confusion = Confusion.empty(scheme.names)
    for tile in labelled_tiles(dataset, slides, tile_px, most=most_tiles):
        predicted = _predicted(predictor, opened[tile.slide_key], tile)
        confusion = confusion + Confusion.from_labels(tile.labels, to_scheme[predicted.labels], scheme.names)
    return Scores(confusion)


def _predicted(predictor: WindowPredictor, slide: Slide, tile: Tile) -> LabelMask:
    try:
        return predictor.predict_window(slide, tile.window).most_probable()
    except SlideError as error:
        raise DamagedSlideError(str(error), tile.slide_key) from error


def _labels_by_name(names: tuple[str, ...], wanted: tuple[str, ...]) -> NDArray[np.uint8]:
    return np.array([wanted.index(name) if name in wanted else 0 for name in names], np.uint8)
