"""Predictors of different resolutions, seen on one grid: so that two models are judged on the same pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bridge.coords import Window
from bridge.raster import ProbabilityMap
from bridge.slides import Slide
from models.data import slide_downsample
from models.training.evaluate import WindowPredictor


class OnGrid:
    """A predictor on the grid of another mpp: each pixel is what the predictor says at its centre.

    Parameters
    ----------
    predictor
        Of any mpp.
    mpp
        µm per pixel of the grid.
    """

    def __init__(self, predictor: WindowPredictor, mpp: float) -> None:
        self._predictor = predictor
        self._mpp = mpp

    @property
    def names(self) -> tuple[str, ...]:
        """Class names, by plane."""
        return self._predictor.names

    @property
    def mpp(self) -> float:
        """µm per pixel of the grid."""
        return self._mpp

    def predict_window(self, slide: Slide, window: Window, *, margin_px: int = 32) -> ProbabilityMap:
        """Return the map of one window of the grid; errors as the predictor's own.

        Parameters
        ----------
        margin_px
            Of the predictor's own pixels.
        """
        if self._mpp == self._predictor.mpp:
            return self._predictor.predict_window(slide, window, margin_px=margin_px)
        own = Window.covering(window.to_region(), slide_downsample(slide, self._predictor.mpp))
        found = self._predictor.predict_window(slide, own, margin_px=margin_px)
        scale = window.downsample / own.downsample
        rows = _under(window.y, window.height, scale, own.y, own.height)
        columns = _under(window.x, window.width, scale, own.x, own.width)
        return replace(found, probabilities=found.probabilities[:, rows[:, None], columns], window=window)


def on_one_grid(first: WindowPredictor, second: WindowPredictor) -> tuple[WindowPredictor, WindowPredictor]:
    """Return two predictors on the finer one's grid: there the labels lose nothing."""
    if first.mpp == second.mpp:
        return first, second
    mpp = min(first.mpp, second.mpp)
    return OnGrid(first, mpp), OnGrid(second, mpp)


def _under(start: int, count: int, scale: float, first: int, most: int) -> NDArray[np.int64]:
    """Return which pixels of another grid lie under the centres of some, counted from ``first``."""
    places = np.floor((np.arange(start, start + count) + 0.5) * scale).astype(np.int64) - first
    return np.asarray(places.clip(0, most - 1), np.int64)
