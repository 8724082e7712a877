"""Weights of classes in learning from masks and patch labels at once; the loss of either is `masked_cross_entropy`.

Ciga and Martel, "Learning to segment images with classification labels", 2021, §2.2 and §2.3. The paper takes two steps
per batch, masks through encoder and decoder, patch labels through all, and adds the two losses. Its code does otherwise
(one mixed batch, labels spread over whole masks); we follow the paper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum

from models.losses.segmentation import class_weights


class FrequencyWeighting(Enum):
    """How the weight of a class follows from how often it is labelled."""

    INVERSE = "inverse"
    """Rare classes weigh more, as the paper's code has it (up to a common factor, which a weighted mean forgets)."""
    PROPORTIONAL = "proportional"
    """Frequent classes weigh more, as the paper's text has it, literally; for comparison."""


def frequency_weights(
    pixel_counts: Sequence[int], weighting: FrequencyWeighting = FrequencyWeighting.INVERSE
) -> tuple[float, ...]:
    """Return one weight per class: ``N / (C·n_c)``, or ``C·n_c / N``, unbounded.

    Parameters
    ----------
    pixel_counts
        Labelled pixels (or patches) per class, N in all, C of them above 0. A class without any gets weight 1.
    weighting
        Which way round.
    """
    inverse = class_weights(pixel_counts, power=1.0, bound=math.inf)
    return inverse if weighting is FrequencyWeighting.INVERSE else tuple(1 / weight for weight in inverse)
