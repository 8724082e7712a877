"""A slide's prediction seen from afar: mean probability and mean score per cell, gathered band by band.

Selection needs no full-size map; bands are reduced as they come, so memory is that of the cells.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.coords import Window
from bridge.raster import ProbabilityMap

Acquisition = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Overview:
    """Means over square cells of ``stride`` pixels.

    Parameters
    ----------
    probabilities
        float32, shape (class, rows, columns).
    score
        float32, shape (rows, columns): the mean acquisition score, higher means label sooner.
    window
        The cells, as a window on the grid of ``stride`` times the prediction's downsample.
    names
        Class names by index.
    """

    probabilities: NDArray[np.float32]
    score: NDArray[np.float32]
    window: Window
    names: tuple[str, ...]

    def finer(self, parts: int) -> Overview:
        """Return the means over cells of a ``parts``-th of the side, where cells are larger than boxes can be made of.

        In between it is linear, as in the published code of adaptive selection: the peak of a large cell is its middle.
        """
        if parts == 1:
            return self
        window = Window(
            self.window.x * parts,
            self.window.y * parts,
            self.window.width * parts,
            self.window.height * parts,
            self.window.downsample / parts,
        )
        return Overview(_split(self.probabilities, parts), _split(self.score, parts), window, self.names)


class OverviewBuilder:
    """Reduces the bands of one slide.

    Parameters
    ----------
    window
        The whole slide on the prediction's grid; begins at (0, 0).
    stride
        Pixels per cell and side.
    acquisition
        From probabilities (draws, classes, y, x) to scores (y, x).
    """

    def __init__(self, window: Window, names: tuple[str, ...], stride: int, acquisition: Acquisition) -> None:
        if (window.x, window.y) != (0, 0):
            raise ValueError(f"an overview begins at the slide's origin, not at {window.x}, {window.y}")
        self._cells = Window(0, 0, -(-window.width // stride), -(-window.height // stride), window.downsample * stride)
        self.names = names
        self._stride, self._acquisition = stride, acquisition
        self._sums = np.zeros((len(names) + 1, *self._cells.shape), np.float64)
        self._counts = np.zeros(self._cells.shape, np.float64)

    def add(self, band: ProbabilityMap) -> None:
        """Take one band in; bands may come in any order and must not overlap."""
        score = self._acquisition(band.probabilities[None])
        values = np.concatenate([band.probabilities, score[None]], axis=0)
        row_starts, rows = _cells_of(band.window.y, band.window.height, self._stride)
        column_starts, columns = _cells_of(band.window.x, band.window.width, self._stride)
        reduced = np.add.reduceat(np.add.reduceat(values, row_starts, axis=1), column_starts, axis=2)
        self._sums[:, rows, columns] += reduced
        heights = np.diff(np.append(row_starts, band.window.height))
        widths = np.diff(np.append(column_starts, band.window.width))
        self._counts[rows, columns] += heights[:, None] * widths[None]

    def finish(self) -> Overview:
        """Return the means; cells that no band touched are certain background."""
        seen = self._counts > 0
        means = np.divide(self._sums, self._counts, out=np.zeros_like(self._sums), where=seen)
        means[0][~seen] = 1.0
        return Overview(means[:-1].astype(np.float32), means[-1].astype(np.float32), self._cells, self.names)


def _split(values: NDArray[np.float32], parts: int) -> NDArray[np.float32]:
    """Interpolate along the last two axes; beyond the outermost centres it is constant."""
    for axis in (-2, -1):
        length = values.shape[axis]
        places = ((np.arange(length * parts) + 0.5) / parts - 0.5).clip(0, length - 1)
        before = places.astype(np.intp)
        share = (places - before).reshape(-1, *[1] * (-axis - 1)).astype(np.float32)
        lower, upper = values.take(before, axis), values.take((before + 1).clip(max=length - 1), axis)
        values = lower + share * (upper - lower)
    return values


def _cells_of(start: int, length: int, stride: int) -> tuple[NDArray[np.intp], slice]:
    """Return where cells begin within a run of pixels, and which cells these are."""
    first, last = start // stride, (start + length - 1) // stride
    edges = np.arange(first, last + 1) * stride - start
    return np.maximum(edges, 0).astype(np.intp), slice(first, last + 1)


def reason_for(overview: Overview, rows: slice, columns: slice) -> str:
    """Say in words what a box is uncertain about: the two classes most often confused in it.

    The confusion of classes a and b in a cell is p_a·p_b.
    """
    inside = overview.probabilities[:, rows, columns].reshape(len(overview.names), -1)
    confusion = np.triu(inside @ inside.T, k=1)
    first, second = np.unravel_index(int(np.argmax(confusion)), confusion.shape)
    names = [overview.names[int(second)], overview.names[int(first)]]
    return f"uncertain {' / '.join(names)}"
