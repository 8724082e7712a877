"""One F1 for several classes, in the three ways people average it."""

from __future__ import annotations

import math

from models.metrics.confusion import Confusion


def macro_f1(confusion: Confusion) -> float:
    """Return the mean of the classes' F1, each class alike; NaN without pixels.

    Every class counts, the background too; one that is neither true nor predicted anywhere is left out.
    """
    values = [value for value in confusion.dice().values() if not math.isnan(value)]
    return sum(values) / len(values) if values else float("nan")


def micro_f1(confusion: Confusion) -> float:
    """Return the F1 of all classes' counts together: ``2 ΣTP / (2 ΣTP + ΣFP + ΣFN)``; NaN without pixels.

    Where each pixel has one class a false positive of one is a false negative of another, so this is the accuracy.
    """
    return confusion.accuracy()


def weighted_f1(confusion: Confusion) -> float:
    """Return the mean of the classes' F1, each weighed by its true pixels; NaN without pixels.

    Learning to segment with classification labels calls this the micro F1 ("weighing the scores per ground truth
    ratios", §3.2).
    """
    if confusion.pixels == 0:
        return float("nan")
    true_pixels = confusion.counts.sum(axis=1)
    scores = confusion.dice().values()  # a class without true pixels weighs 0, and may be NaN
    return sum(s * int(n) for s, n in zip(scores, true_pixels, strict=True) if n) / confusion.pixels
