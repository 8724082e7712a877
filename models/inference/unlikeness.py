"""Whether a slide looks like what a model was trained on: its stain and scanner, not what grows on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bridge.slides import Slide, TissueMask
from models.checkpoints import PixelStatistics
from models.data import features_at, slide_downsample, tissue_windows

FAR = 3.5
"""Distance beyond which a slide is unlike. Measured on 15 real pictures, of each of which one box of 60 µm trained: as
they are they lay at 1.1 to 2.7; with the hue turned by 5 % of the circle 29 of 30 lay above 3.5, the farthest at 45."""

_FLOOR = 0.01  # optical density (2 % of the light): less than that is compression and noise
_TILES = 32
_TRIES = 4  # tiles looked at for each one wanted, before a slide is taken to have no more
_LEAST_TILES = 3
_SEED = 0


@dataclass(frozen=True, slots=True)
class Unlikeness:
    """How far a slide's tissue looks from that which a model was trained on.

    Parameters
    ----------
    distance
        Median over the slide's tiles of Mahalanobis' distance to the training tiles.
    tiles
        How many of the slide's were measured.
    training_slides
        How many slides the training tiles were from: of one, how much slides differ isn't known, only how much its
        tiles do.
    """

    distance: float
    tiles: int
    training_slides: int

    @property
    def is_far(self) -> bool:
        """Whether predictions there deserve a warning."""
        return self.distance > FAR


def measure_unlikeness(slide: Slide, tissue: TissueMask, statistics: PixelStatistics) -> Unlikeness | None:
    """Measure how unlike the training tiles a slide looks; None where hardly any tissue is to be seen.

    Some 32 tiles of the slide's tissue, spread evenly, of the size and resolution that training tiles were measured at,
    give six numbers each (`models.data.appearance`). A tile's distance is Mahalanobis' to the training tiles,
    ``√((x − m)ᵀ (C + f² I)⁻¹ (x − m))``, with their mean ``m`` and covariance ``C``. The covariance is what makes it
    telling: more or less of the same dyes moves a tile along directions in which training tiles differ as well, another
    dye or scanner moves it across. ``f`` is 0.01: less than that is compression and noise. What few training tiles say
    of a spread is uncertain, and distances are shortened by as much as that makes them too long. The slide's is the
    median over its tiles, so that ink, folds and a kind of tissue that nobody has labelled yet, on less than half of
    it, don't count. It is far beyond ``FAR``.

    With one training slide nobody knows how much slides differ from each other; the spread of its tiles stands in, so
    that other slides of the same laboratory may be called unlike though they are not far: a warning, never a bar.

    The same slide gives the same result.

    Raises
    ------
    MissingResolutionError, SlideError
        The slide has no mpp, or is damaged there.
    """
    downsample, generator = slide_downsample(slide, statistics.mpp), np.random.default_rng(_SEED)
    windows = tissue_windows(tissue, statistics.tile_px, downsample, generator)
    features = features_at(slide, windows[: _TILES * _TRIES], most=_TILES)
    if len(features) < _LEAST_TILES:
        return None
    distances = statistics.distances(features, floor=_FLOOR)
    return Unlikeness(round(float(np.median(distances)), 2), len(features), statistics.slides)
