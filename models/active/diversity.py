"""Diversity: of boxes in order of priority, those that don't all look the same.

A *look* is a vector of whatever tells boxes apart: mean and spread of the colours, mean class probabilities. All its
numbers should lie in [0, 1] (colours as shares of full intensity), so that ``least_spread`` means the same for each.

Two boxes *look the same* when d ≤ ``distance``, d² the mean over features f of ((a_f − b_f) / s_f)², s_f the standard
deviation of the feature over all candidates or ``least_spread``, whichever is larger. That is the standardized
Euclidean distance per feature, independent of their number: boxes drawn at random have d² ≈ 2 whatever the features.
The relation is symmetric and not transitive. The greedy rule on it, "passed over when as many chosen ones as allowed
look the same already", makes sure that of any ``per_look + 1`` chosen boxes at least two don't look the same. Choosing
by uncertainty first and by dissimilarity among those is Yang et al.'s order (MICCAI 2017); theirs weighs what the
chosen ones represent, ours only forbids repetition, since a person asks why a box came, and "it looks unlike the
others" can be said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class DiversityOptions:
    """How many boxes may look the same.

    Parameters
    ----------
    per_look
        Boxes of one look, at least 1; two, so that no three look the same.
    distance
        Up to which two boxes look the same, in standard deviations per feature. Boxes drawn at random are √2 apart;
        at 0.5 an eighth of that d² is left. Of boxes of 32 µm on the 21 pictures of MoNuSeg (seven organs), by their
        colours alone, half of the pairs within a picture look the same then, and 8 % of those between pictures.
    least_spread
        Standard deviation that a feature is taken to have at least: where all candidates look the same, their small
        differences must not be blown up to several looks. 0.02 is five of 255 levels of a colour.

    Raises
    ------
    ValueError
        A value is out of its range.
    """

    per_look: int = 2
    distance: float = 0.5
    least_spread: float = 0.02

    def __post_init__(self) -> None:
        ranges = {
            "per_look": self.per_look >= 1,
            "distance": 0 <= self.distance < math.inf,
            "least_spread": 0 < self.least_spread < math.inf,
        }
        wrong = [name for name, is_right in ranges.items() if not is_right]
        if wrong:
            raise ValueError(f"diversity options out of range: {', '.join(wrong)} in {self}")


class Looks:
    """The looks of some candidates, and which of them were chosen so far.

    Parameters
    ----------
    looks
        Shape (candidates, features), finite.

    Raises
    ------
    ValueError
        There is no feature, candidates differ in their number, or a value is not finite.
    """

    def __init__(self, looks: ArrayLike, options: DiversityOptions) -> None:
        self._options = options
        self._standard = _standardized(looks, options.least_spread)
        self._chosen = np.empty_like(self._standard)
        self._count = 0

    def has_room(self, candidate: int) -> bool:
        """Say whether fewer chosen ones than allowed look like a candidate."""
        apart = self._chosen[: self._count] - self._standard[candidate]
        alike = (apart**2).mean(axis=1) <= self._options.distance**2
        return int(np.count_nonzero(alike)) < self._options.per_look

    def choose(self, candidate: int) -> None:
        """Count a candidate among the chosen; each once."""
        self._chosen[self._count] = self._standard[candidate]
        self._count += 1


def _standardized(looks: ArrayLike, least_spread: float) -> NDArray[np.float64]:
    """Return looks in units of their spread; where the mean lies doesn't matter to distances."""
    values = np.asarray(looks, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] == 0 or not np.isfinite(values).all():
        raise ValueError(f"looks need shape (candidates, features) and finite values, got shape {values.shape}")
    return np.asarray(values / np.maximum(values.std(axis=0), least_spread))
