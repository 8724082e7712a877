"""The confusion matrix and everything that is read from it: Dice, IoU, sensitivity, precision, pooled or per class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IGNORE = 255


@dataclass(frozen=True, eq=False)
class Confusion:
    """Counts of pixels, rows what is true, columns what was predicted; adding two gives the one of both sets.

    Parameters
    ----------
    counts
        int64, shape (classes, classes).
    names
        Class names by label; the first is the background.

    Raises
    ------
    ValueError
        The matrix is not square, or not of as many classes as there are names.
    """

    counts: NDArray[np.int64]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        size = len(self.names)
        if self.counts.shape != (size, size):
            raise ValueError(f"{size} classes need a {size} x {size} matrix, got shape {self.counts.shape}")

    @classmethod
    def empty(cls, names: tuple[str, ...]) -> Confusion:
        """Return the matrix of no pixels."""
        return cls(np.zeros((len(names), len(names)), np.int64), names)

    @classmethod
    def from_labels(cls, truth: NDArray[np.uint8], predicted: NDArray[np.uint8], names: tuple[str, ...]) -> Confusion:
        """Count the pixels of two label masks of one shape; where the truth is 255 nothing is counted.

        Raises
        ------
        ValueError
            The shapes differ, or a label is beyond the names.
        """
        if truth.shape != predicted.shape:
            raise ValueError(f"masks of shapes {truth.shape} and {predicted.shape} can't be compared")
        kept = truth != IGNORE
        rows, columns = truth[kept].astype(np.int64), predicted[kept].astype(np.int64)
        size = len(names)
        if rows.size and max(rows.max(), columns.max()) >= size:
            raise ValueError(f"label {max(rows.max(), columns.max())} among {size} classes")
        return cls(np.bincount(rows * size + columns, minlength=size * size).reshape(size, size), names)

    def __add__(self, other: Confusion) -> Confusion:
        if other.names != self.names:
            raise ValueError(f"classes {self.names} and {other.names} don't add up")
        return Confusion(self.counts + other.counts, self.names)

    @property
    def pixels(self) -> int:
        """Pixels counted."""
        return int(self.counts.sum())

    def pooled(self) -> Confusion:
        """Return the two-class matrix: background against all classes together."""
        is_class = (np.arange(len(self.names)) > 0).astype(np.int64)
        sides = np.stack([1 - is_class, is_class])
        return Confusion(sides @ self.counts @ sides.T, (self.names[0], "any class"))

    def true_positives(self) -> NDArray[np.int64]:
        """Return per class the pixels that are it and were called so."""
        return np.diagonal(self.counts).copy()

    def dice(self) -> dict[str, float]:
        """Return ``2 TP / (2 TP + FP + FN)`` (F1) per class; NaN for a class neither true nor predicted anywhere."""
        both = self.counts.sum(axis=0) + self.counts.sum(axis=1)
        return self._per_class(2 * self.true_positives(), both)

    def iou(self) -> dict[str, float]:
        """Return ``TP / (TP + FP + FN)`` per class; NaN for a class neither true nor predicted anywhere."""
        union = self.counts.sum(axis=0) + self.counts.sum(axis=1) - self.true_positives()
        return self._per_class(self.true_positives(), union)

    def sensitivity(self) -> dict[str, float]:
        """Return ``TP / (TP + FN)`` (recall) per class; NaN for a class that is nowhere true."""
        return self._per_class(self.true_positives(), self.counts.sum(axis=1))

    def precision(self) -> dict[str, float]:
        """Return ``TP / (TP + FP)`` per class; NaN for a class that was nowhere predicted."""
        return self._per_class(self.true_positives(), self.counts.sum(axis=0))

    def specificity(self) -> dict[str, float]:
        """Return ``TN / (TN + FP)`` per class; NaN where every pixel is of the class."""
        others = self.pixels - self.counts.sum(axis=1)
        false_positives = self.counts.sum(axis=0) - self.true_positives()
        return self._per_class(others - false_positives, others)

    def accuracy(self) -> float:
        """Return the share of pixels called what they are; NaN without pixels."""
        return _ratio(int(self.true_positives().sum()), self.pixels)

    def _per_class(self, above: NDArray[np.int64], below: NDArray[np.int64]) -> dict[str, float]:
        return {name: _ratio(int(a), int(b)) for name, a, b in zip(self.names, above, below, strict=True)}


def _ratio(above: int, below: int) -> float:
    return above / below if below else float("nan")
