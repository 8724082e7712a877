"""A slide's prediction seen from afar: mean probability and mean score per cell, gathered band by band.

Selection needs no full-size map; bands are reduced as they come, so memory is that of the cells: one float32 a class
and one for the score. Sums of cells that are still open, more exact than that, are kept for their rows alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bridge.coords import Window
from bridge.raster import ProbabilityMap
from models.active.acquisition import Acquisition, acquisition_of

_PART_PIXELS = 2**18  # scored at a time
_BACKGROUND = 1  # its plane; the score's is 0
_WORDS = {Acquisition.BALD: "model contradicts itself on", Acquisition.DISAGREEMENT: "models disagree on"}


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
    acquisition
        Which score it is.
    spread
        float32, shape (class, rows, columns): the mean variance of each class's probability over the draws; None where
        the score is of one prediction.
    """

    probabilities: NDArray[np.float32]
    score: NDArray[np.float32]
    window: Window
    names: tuple[str, ...]
    acquisition: Acquisition = Acquisition.LEAST_CONFIDENCE
    spread: NDArray[np.float32] | None = None

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
        spread = None if self.spread is None else _split(self.spread, parts)
        probabilities, score = _split(self.probabilities, parts), _split(self.score, parts)
        return Overview(probabilities, score, window, self.names, self.acquisition, spread)


class OverviewBuilder:
    """Reduces the bands of one slide.

    Parameters
    ----------
    window
        The whole slide on the prediction's grid; begins at (0, 0).
    stride
        Pixels per cell and side.
    acquisition
        Which score is gathered.
    draws
        How many predictions of each band there are to be; more than one where the score compares them.
    """

    def __init__(
        self, window: Window, names: tuple[str, ...], stride: int, acquisition: Acquisition, *, draws: int = 1
    ) -> None:
        if (window.x, window.y) != (0, 0):
            raise ValueError(f"an overview begins at the slide's origin, not at {window.x}, {window.y}")
        self._cells = Window(0, 0, -(-window.width // stride), -(-window.height // stride), window.downsample * stride)
        self.names = names
        self._stride, self._acquisition, self._draws = stride, acquisition, draws
        planes = 1 + len(names) * (1 if draws == 1 else 2)
        self._means = np.zeros((planes, *self._cells.shape), np.float32)
        self._means[_BACKGROUND] = 1  # what no band touches is background
        self._pixels_per_row = np.minimum(stride, window.height - np.arange(self._cells.height) * stride) * window.width
        self._open: dict[int, _OpenRow] = {}

    def add(self, band: ProbabilityMap, others: Sequence[ProbabilityMap] = ()) -> None:
        """Take one band in; bands may come in any order and must not overlap.

        Parameters
        ----------
        band
            The plain prediction, whose means are kept.
        others
            Further draws of the same rows; with the plain one as many as the builder was told.

        Raises
        ------
        ValueError
            Another number of draws, or draws of other rows.
        """
        if len(others) != self._draws - 1 or any(other.window != band.window for other in others):
            windows = [other.window for other in others]
            raise ValueError(f"{self._draws} draws of {band.window} are needed, got it and {windows}")
        for part in self._parts(band.window):
            self._add_part([draw.crop(part) for draw in (band, *others)])

    def _parts(self, window: Window) -> Iterator[Window]:
        """Cut a band between rows of cells: scores take several times the memory of what they are made of."""
        rows = max(1, _PART_PIXELS // (window.width * self._stride)) * self._stride
        top = window.y
        while top < window.bottom:
            bottom = min(window.bottom, (top // rows + 1) * rows)
            yield replace(window, y=top, height=bottom - top)
            top = bottom

    def _add_part(self, draws: Sequence[ProbabilityMap]) -> None:
        """Take in rows of which only the columns that aren't background for sure have to be scored."""
        window = draws[0].window
        row_starts, rows = _cells_of(window.y, window.height, self._stride)
        column_starts, columns = _cells_of(window.x, window.width, self._stride)
        heights = np.diff(np.append(row_starts, window.height))
        counts = heights[:, None] * np.diff(np.append(column_starts, window.width))[None]
        sums = np.zeros((len(self._means), *counts.shape))
        sums[_BACKGROUND] = counts
        doubtful = _doubtful_cells(draws, column_starts)
        if doubtful:
            left = int(column_starts[doubtful.start])
            right = int(column_starts[doubtful.stop]) if doubtful.stop < len(column_starts) else window.width
            inside = replace(window, x=window.x + left, width=right - left)
            values = self._values([draw.crop(inside) for draw in draws])
            starts = column_starts[doubtful.start : doubtful.stop] - left
            reduced = np.add.reduceat(np.add.reduceat(values, row_starts, axis=1), starts, axis=2)
            sums[:, :, doubtful.start : doubtful.stop] = reduced
        for place, row in enumerate(range(rows.start, rows.stop)):
            self._add_row(row, columns, sums[:, place], counts[place])

    def _values(self, draws: Sequence[ProbabilityMap]) -> NDArray[np.float32]:
        """Return what is averaged, plane by plane: the score, the plain probabilities, how the draws spread."""
        plain = draws[0].probabilities
        stacked = plain[None] if len(draws) == 1 else np.stack([draw.probabilities for draw in draws])
        score = acquisition_of(self._acquisition)(stacked)
        spread = [stacked.var(axis=0)] if len(draws) > 1 else []
        return np.concatenate([score[None], plain, *spread], axis=0)

    def _add_row(self, row: int, columns: slice, sums: NDArray[np.float64], counts: NDArray[np.int64]) -> None:
        opened = self._open.get(row)
        if opened is None:
            planes, width = len(self._means), self._cells.width
            opened = self._open[row] = _OpenRow(np.zeros((planes, width)), np.zeros(width, np.int64))
        opened.sums[:, columns] += sums
        opened.counts[columns] += counts
        if opened.counts.sum() == self._pixels_per_row[row]:
            self._close(row)

    def _close(self, row: int) -> None:
        opened = self._open.pop(row)
        seen = opened.counts > 0
        self._means[:, row, seen] = opened.sums[:, seen] / opened.counts[seen]

    def finish(self) -> Overview:
        """Return the means; cells that no band touched are certain background. After it no band is taken."""
        for row in list(self._open):
            self._close(row)
        means, classes = self._means, len(self.names)
        spread = means[1 + classes :] if self._draws > 1 else None
        return Overview(means[1 : 1 + classes], means[0], self._cells, self.names, self._acquisition, spread)


@dataclass(frozen=True, slots=True)
class _OpenRow:
    """A row of cells of which bands are still to come: sums by plane and cell, and how many pixels there were."""

    sums: NDArray[np.float64]
    counts: NDArray[np.int64]


def _doubtful_cells(draws: Sequence[ProbabilityMap], column_starts: NDArray[np.intp]) -> range:
    """Return the columns of cells, from the first to the last, that aren't background for sure in every draw."""
    doubtful = np.zeros(draws[0].window.width, np.bool_)
    for draw in draws:
        background = draw.probabilities[0]
        seen = background[:1] if background.strides[0] == 0 else background  # a row that is repeated is looked at once
        doubtful |= ~(seen >= 1).all(axis=0)  # a NaN is no certainty
    pixels = np.flatnonzero(doubtful)
    if not pixels.size:
        return range(0)
    first, last = np.searchsorted(column_starts, pixels[[0, -1]], side="right") - 1
    return range(int(first), int(last) + 1)


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
    """Say in words what a box is asked for: the two classes that it is most about.

    Of one prediction these are the two most often confused: the confusion of classes a and b in a cell is p_a·p_b.
    Where predictions were compared, they are the two whose probabilities vary most from one to the next.
    """
    if overview.spread is None:
        inside = overview.probabilities[:, rows, columns].reshape(len(overview.names), -1)
        pairs = np.triu_indices(len(inside), k=1)
        found = np.transpose(pairs)[int(np.argmax((inside @ inside.T)[pairs]))]
    else:
        varying = overview.spread[:, rows, columns].mean(axis=(1, 2), dtype=np.float64)
        found = np.sort(np.argsort(-varying, kind="stable")[:2])
    words = _WORDS.get(overview.acquisition, "uncertain")
    return f"{words} {' / '.join(overview.names[index] for index in reversed(found.tolist()))}"
