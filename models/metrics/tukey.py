"""Tukey's range test: which of several designs differ, their scores compared pair by pair at one joint error rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np


@dataclass(frozen=True, slots=True)
class PairDifference:
    """What the test says of two designs.

    Parameters
    ----------
    first, second
        Which ones.
    difference
        Mean of the first less mean of the second.
    low, high
        Ends of the confidence interval of the difference; all pairs' intervals hold at once.
    p
        Chance of so large a difference, were all designs alike; already corrected for the number of pairs.
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    p: float


def tukey_range_test(samples: Mapping[str, Sequence[float]], *, confidence: float = 0.95) -> tuple[PairDifference, ...]:
    """Return every pair of designs compared, in the order of the mapping (Tukey–Kramer where sizes differ).

    The test takes samples as independent. Scores of several designs on the same slides are not: it then finds fewer
    differences than there are, as in H2G-Net's table S1, where it is used so.

    Parameters
    ----------
    samples
        Scores (one a slide) by design.
    confidence
        Of the intervals together, 0 to 1.

    Raises
    ------
    ValueError
        Fewer than two designs, fewer than two scores of one, a score that is no number, or scores that don't vary.
    """
    values = {name: np.asarray(scores, dtype=np.float64) for name, scores in samples.items()}
    _check(values)
    from scipy.stats import tukey_hsd  # here, for it takes half a second to load

    result = tukey_hsd(*values.values())
    interval = result.confidence_interval(confidence_level=confidence)
    tables = [np.asarray(table) for table in (result.statistic, interval.low, interval.high, result.pvalue)]
    return tuple(
        PairDifference(first, second, *(float(table[i, j]) for table in tables))
        for (i, first), (j, second) in combinations(enumerate(values), 2)
    )


def _check(values: Mapping[str, np.ndarray]) -> None:
    if len(values) < 2:
        raise ValueError(f"the range test compares at least two designs, got {len(values)}")
    for name, scores in values.items():
        if scores.ndim != 1 or len(scores) < 2 or not np.isfinite(scores).all():
            raise ValueError(f"the range test needs at least two scores of {name!r}, all of them numbers")
    if all(np.ptp(scores) == 0 for scores in values.values()):
        raise ValueError("the scores of no design vary: the range test has nothing to measure differences by")
