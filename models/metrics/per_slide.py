"""Recall, precision and Dice per slide, and their mean ± standard deviation over slides, in all and per group.

Each slide counts alike (macro), however large it is: that is what H2G-Net's tables and tests compare.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from models.metrics.confusion import Confusion


@dataclass(frozen=True, slots=True)
class SlideScore:
    """How well the slide's area of any class was found, against the background.

    Parameters
    ----------
    slide
        Which one.
    group
        What it belongs to: its grade, its centre, "" where it belongs to none.
    recall
        ``TP / (TP + FN)``; NaN where nothing is true.
    precision
        ``TP / (TP + FP)``; NaN where nothing was predicted.
    dice
        ``2 TP / (2 TP + FP + FN)``; NaN where nothing is true and nothing was predicted.
    """

    slide: str
    group: str
    recall: float
    precision: float
    dice: float

    @classmethod
    def from_confusion(cls, slide: str, confusion: Confusion, *, group: str = "") -> SlideScore:
        """Return the scores of a slide's confusion matrix, its classes after the first taken together."""
        sides = confusion.pooled()
        name = sides.names[1]
        return cls(slide, group, sides.sensitivity()[name], sides.precision()[name], sides.dice()[name])


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and standard deviation; reads as ``0.933 ± 0.069 (n = 90)``.

    Parameters
    ----------
    mean
        NaN for no value.
    sd
        Of the sample (divided by count − 1); NaN for fewer than two values.
    count
        Values that were numbers.
    """

    mean: float
    sd: float
    count: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Return the spread of the values that are numbers; NaN, a score that a slide can't have, is left out."""
        kept = np.array([value for value in values if not math.isnan(value)], dtype=np.float64)
        mean = float(kept.mean()) if kept.size else float("nan")
        return cls(mean, float(kept.std(ddof=1)) if kept.size > 1 else float("nan"), int(kept.size))

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.sd:.3f} (n = {self.count})"


@dataclass(frozen=True, slots=True)
class GroupScores:
    """Scores over a set of slides.

    Parameters
    ----------
    slides
        How many there are; a spread's count is less where a slide had no such score.
    recall, precision, dice
        Over them.
    """

    slides: int
    recall: Spread
    precision: Spread
    dice: Spread

    @classmethod
    def of(cls, scores: Sequence[SlideScore]) -> GroupScores:
        """Return the scores over these slides, each alike."""
        return cls(
            len(scores),
            Spread.of(score.recall for score in scores),
            Spread.of(score.precision for score in scores),
            Spread.of(score.dice for score in scores),
        )
