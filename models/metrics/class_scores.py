"""Everything that is asked of one class in a confusion matrix, side by side: one row of a validation's table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from models.metrics.confusion import Confusion


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Scores of one class against all else; NaN where one can't be had: nothing is true, nothing was predicted.

    Parameters
    ----------
    sensitivity
        ``TP / (TP + FN)``, recall.
    specificity
        ``TN / (TN + FP)``.
    precision
        ``TP / (TP + FP)``.
    accuracy
        ``(TP + TN) / all``.
    f1
        ``2 TP / (2 TP + FP + FN)``, Dice.
    iou
        ``TP / (TP + FP + FN)``.
    """

    sensitivity: float
    specificity: float
    precision: float
    accuracy: float
    f1: float
    iou: float

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return what the scores are called, in order."""
        return tuple(field.name for field in fields(cls))

    @classmethod
    def of(cls, confusion: Confusion, name: str) -> ClassScores:
        """Return the scores of one class of a matrix."""
        others = np.arange(len(confusion.names)) != confusion.names.index(name)
        falls = confusion.counts[others].sum() - confusion.counts[np.ix_(others, others)].sum()
        misses = confusion.counts[:, others].sum() - confusion.counts[np.ix_(others, others)].sum()
        wrong, pixels = int(falls + misses), confusion.pixels
        return cls(
            sensitivity=confusion.sensitivity()[name],
            specificity=confusion.specificity()[name],
            precision=confusion.precision()[name],
            accuracy=1 - wrong / pixels if pixels else float("nan"),
            f1=confusion.dice()[name],
            iou=confusion.iou()[name],
        )


def class_scores(confusion: Confusion) -> Mapping[str, ClassScores]:
    """Return the scores of each class but the background, then of all of them together (``any class``).

    With a single class the two are the same numbers.
    """
    pooled = confusion.pooled()
    each = {name: ClassScores.of(confusion, name) for name in confusion.names[1:]}
    return each | {pooled.names[1]: ClassScores.of(pooled, pooled.names[1])}
