"""Losses of label masks that are only partly labelled: weighted cross entropy and soft Dice, blind to *ignore*."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

IGNORE = 255


def class_weights(pixel_counts: Sequence[int], *, power: float = 0.5, bound: float = 5.0) -> tuple[float, ...]:
    """Return one weight per class from how often it is labelled: ``(N / (C·n_c))^power``, bounded.

    Parameters
    ----------
    pixel_counts
        Labelled pixels per class. A class without any gets weight 1: it is in no mask, whatever its weight.
    power
        0: all alike; 1: inverse frequency. The root keeps rare classes from being painted everywhere.
    bound
        Weights lie in [1 / bound, bound].
    """
    seen = [count for count in pixel_counts if count > 0]
    even_share = sum(seen) / max(1, len(seen))
    return tuple(
        min(bound, max(1.0 / bound, (even_share / count) ** power)) if count > 0 else 1.0 for count in pixel_counts
    )


def masked_cross_entropy(scores: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the weighted mean cross entropy over the labelled pixels; 0, with a gradient of 0, where none is.

    Parameters
    ----------
    scores
        Before softmax, float, shape (n, classes, height, width).
    labels
        int64, shape (n, height, width); 255 is ignored.
    weights
        Shape (classes,).
    """
    total = functional.cross_entropy(scores, labels, weights, ignore_index=IGNORE, reduction="sum")
    kept = labels[labels != IGNORE]
    weight_sum = weights[kept].sum() if weights is not None else kept.new_tensor(kept.numel(), dtype=scores.dtype)
    return total / weight_sum.clamp(min=torch.finfo(scores.dtype).tiny)


def masked_dice_loss(scores: Tensor, labels: Tensor, *, smooth: float = 1.0) -> Tensor:
    """Return 1 − soft Dice, the mean over the classes that the batch's labels contain; 0 where nothing is labelled.

    ``Dice_c = (2 Σ p_c g_c + s) / (Σ p_c + Σ g_c + s)``, sums over the labelled pixels of the whole batch (Milletari,
    Navab and Ahmadi, "V-Net", 3DV 2016, with first powers in the denominator).

    Parameters
    ----------
    scores, labels
        As in `masked_cross_entropy`.
    smooth
        ``s``, in pixels.
    """
    n_classes = scores.shape[1]
    labelled = labels != IGNORE
    truth = functional.one_hot(torch.where(labelled, labels, 0), n_classes).permute(0, 3, 1, 2) * labelled.unsqueeze(1)
    probabilities = scores.softmax(dim=1) * labelled.unsqueeze(1)
    truth_area = truth.sum(dim=(0, 2, 3))
    overlap = (probabilities * truth).sum(dim=(0, 2, 3))
    dice = (2 * overlap + smooth) / (probabilities.sum(dim=(0, 2, 3)) + truth_area + smooth)
    present = (truth_area > 0).to(dice.dtype)
    return ((1 - dice) * present).sum() / present.sum().clamp(min=1)


def pooled_scores(scores: Tensor) -> Tensor:
    """Return the scores of two classes, background and any other: ``log Σ exp`` over the classes after the first.

    Parameters
    ----------
    scores
        Before softmax, shape (n, classes, height, width), at least two classes.

    Returns
    -------
    Tensor
        Shape (n, 2, height, width); its softmax holds the background's probability and its complement.
    """
    return torch.stack((scores[:, 0], scores[:, 1:].logsumexp(dim=1)), dim=1)


@dataclass(frozen=True, slots=True)
class SegmentationLoss:
    """Cross entropy and Dice, of all classes and of *any class against the background*; one number per batch.

    Parameters
    ----------
    weights
        One per class, for the cross entropy of all classes.
    dice_share
        Weight of each Dice term; 0 leaves them out.
    pooled_share
        Weight of the two-class terms. With few labels outlines are learned long before names, and the names' errors
        would drown them: a box of three kinds of nuclei is first of all a box of nuclei.
    """

    weights: tuple[float, ...]
    dice_share: float = 1.0
    pooled_share: float = 1.0

    def __call__(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Return the loss; shapes as in `masked_cross_entropy`."""
        loss = masked_cross_entropy(scores, labels, scores.new_tensor(self.weights))
        loss = loss + self.dice_share * masked_dice_loss(scores, labels)
        if self.pooled_share > 0 and scores.shape[1] > 2:
            pooled = pooled_scores(scores)
            sides = torch.where(labels == IGNORE, labels, (labels > 0).to(labels.dtype))
            two = masked_cross_entropy(pooled, sides) + self.dice_share * masked_dice_loss(pooled, sides)
            loss = loss + self.pooled_share * two
        return loss
