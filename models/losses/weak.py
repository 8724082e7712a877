"""Losses of learning from masks and patch labels at once: each only where what it asks for was given.

Ciga and Martel, "Learning to segment images with classification labels", 2021, §2.2 and §2.3. The paper takes two steps
per batch, masks through encoder and decoder, patch labels through all, and adds the two losses. Its code does otherwise
(one mixed batch, labels spread over whole masks); we follow the paper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from torch import Tensor

from models.losses.segmentation import class_weights, masked_cross_entropy


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


@dataclass(frozen=True, slots=True, eq=False)
class WeakLosses:
    """The two losses of a batch.

    Parameters
    ----------
    segmentation
        Of the samples that have a mask; 0 where none has.
    classification
        Of the samples that have a patch label; 0 where none has.
    """

    segmentation: Tensor
    classification: Tensor

    @property
    def total(self) -> Tensor:
        """What is minimised: ``L_cls + L_seg``."""
        return self.classification + self.segmentation


def weak_losses(
    mask_scores: Tensor,
    label_scores: Tensor,
    masks: Tensor,
    labels: Tensor,
    *,
    mask_weights: Tensor | None = None,
    label_weights: Tensor | None = None,
) -> WeakLosses:
    """Return the losses of both heads, blind to what has no mask or no label.

    A sample without a mask sends no gradient through ``mask_scores``, one without a label none through
    ``label_scores``. Where the classifier reads the decoder's map (table A.3) a label does move the decoder, by way of
    the classifier: that is what it is for. Batch normalization still mixes the samples of one forward pass; the paper's
    two steps, one forward pass each, keep them apart, and `masked_cross_entropy` is the loss of either.

    Parameters
    ----------
    mask_scores
        Of the decoder, before softmax, float, shape (n, classes, height, width).
    label_scores
        Of the classifier, before softmax, float, shape (n, classes).
    masks
        int64, shape (n, height, width); 255 is ignored, so a sample without a mask has a mask of 255.
    labels
        int64, shape (n,); 255 where a sample has no patch label.
    mask_weights, label_weights
        Shape (classes,); None weighs all alike.
    """
    return WeakLosses(
        masked_cross_entropy(mask_scores, masks, mask_weights),
        masked_cross_entropy(label_scores, labels, label_weights),
    )
