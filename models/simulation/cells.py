"""Cells to learn from, and how often each is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.active import MapBox
from models.simulation.area import cells_in
from models.simulation.slide import SimulatedSlide, Times


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Cells of several slides.

    Parameters
    ----------
    features
        (cells, features).
    labels
        int64, (cells,).
    chances
        (cells,): how often each is drawn; they sum to 1 where there is any cell.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    chances: NDArray[np.float64]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.labels)

    def at_most(self, count: int, chance: np.random.Generator) -> Cells:
        """Return these cells, or so many drawn of them that are equally likely, where there are more."""
        if self.count <= count:
            return self
        drawn = chance.choice(self.count, count, p=self.chances)
        return Cells(self.features[drawn], self.labels[drawn], np.full(count, 1 / count))


def cells_of(
    slides: Mapping[str, SimulatedSlide],
    revealed: Mapping[str, Times],
    patch_labels: Mapping[str, Sequence[tuple[MapBox, int]]],
    trust: float,
) -> Cells:
    """Return the cells that are revealed, by the paper's rule of drawing.

    Slides are drawn alike, the classes of a slide with equal chance, the cells of a class as often as boxes hold them.
    A box with a patch label gives its cells with tissue that class, and they are drawn ``trust`` times as often: at
    least nine in ten of them are right. One mean over the box, as "Learning to segment" has for its patches, would
    make a thousand cells one example; a patch there is as small as a cell here. What is drawn wins over it, and what is
    to be ignored teaches nothing.
    """
    parts = [
        _of_slide(slides[key], revealed.get(key), patch_labels.get(key, ()), trust)
        for key in dict.fromkeys((*revealed, *patch_labels))
    ]
    n_features = next((slide.features.shape[2] for slide in slides.values()), 0)
    empty = Cells(np.zeros((0, n_features), np.float32), np.zeros(0, np.int64), np.zeros(0))
    joined = [empty, *parts]
    chances = np.concatenate([part.chances for part in joined])
    return Cells(
        np.concatenate([part.features for part in joined]),
        np.concatenate([part.labels for part in joined]),
        chances / chances.sum() if chances.size else chances,
    )


def _of_slide(
    slide: SimulatedSlide, times: Times | None, patch_labels: Sequence[tuple[MapBox, int]], trust: float
) -> Cells:
    """Return one slide's cells; chances sum to 1 unless some are of patch labels."""
    often = np.zeros(slide.shape) if times is None else np.where(slide.teaches, times, 0).astype(np.float64)
    is_drawn = often > 0
    labels = slide.labels.astype(np.int64)
    for box, label in patch_labels:
        given = cells_in([box], slide.shape) & slide.tissue & slide.is_known & ~is_drawn
        labels[given], often[given] = label, 1.0
    is_used = often > 0
    chances = _equal_by_class(labels[is_used], often[is_used])
    return Cells(slide.features[is_used], labels[is_used], np.where(is_drawn[is_used], chances, chances * trust))


def _equal_by_class(labels: NDArray[np.int64], often: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how often to draw each cell of a slide, so that its classes come alike; the sum is 1."""
    if not labels.size:
        return often
    sums = np.bincount(labels, weights=often)
    return np.asarray(often / sums[labels] / np.count_nonzero(sums))
