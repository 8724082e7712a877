"""What an evaluation says of a model, in the few numbers that people compare."""

from __future__ import annotations

import math
from dataclasses import dataclass

from models.metrics.confusion import Confusion


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores on one set of labelled pixels.

    Parameters
    ----------
    confusion
        Over all pixels judged.
    """

    confusion: Confusion

    @property
    def pixels(self) -> int:
        """Labelled pixels that were judged."""
        return self.confusion.pixels

    @property
    def dice(self) -> dict[str, float]:
        """Dice per class, background left out; NaN for a class neither true nor predicted."""
        return {name: value for name, value in self.confusion.dice().items() if name != self.confusion.names[0]}

    @property
    def pooled_dice(self) -> float:
        """Dice of all classes together against the background; NaN without either."""
        return list(self.confusion.pooled().dice().values())[1]

    @property
    def mean_dice(self) -> float:
        """Mean Dice over the classes that are there; NaN when none is."""
        values = [value for value in self.dice.values() if not math.isnan(value)]
        return sum(values) / len(values) if values else float("nan")

    @property
    def score(self) -> float:
        """The one number that decides: the mean of ``mean_dice`` and ``pooled_dice``; NaN without pixels of a class.

        Half of it asks whether the right areas were found, half whether they were called by the right name.
        """
        return (self.mean_dice + self.pooled_dice) / 2

    def to_dict(self) -> dict[str, float]:
        """Return the numbers by name, for a card or a log; those that are NaN are left out."""
        values = {
            "score": self.score,
            "pooled_dice": self.pooled_dice,
            "mean_dice": self.mean_dice,
            "accuracy": self.confusion.accuracy(),
            **{f"dice {name}": value for name, value in self.dice.items()},
        }
        return {name: value for name, value in values.items() if not math.isnan(value)}
