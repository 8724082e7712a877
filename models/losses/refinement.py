"""H2G-Net's loss of the refinement U-Net: soft Dice of each class but the background, squares in the denominator."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from models.losses.segmentation import IGNORE


def squared_dice_loss(scores: Tensor, labels: Tensor, *, smooth: float = 1.0) -> Tensor:
    """Return 1 − soft Dice, the mean over samples and over the classes after the first.

    ``Dice = (2 Σ p g + s) / (Σ p² + Σ g² + s)``, sums over the labelled pixels of one sample (Pedersen et al.,
    "H2G-Net", 2022, its code; after Milletari, Navab and Ahmadi, "V-Net", 3DV 2016). A class that a sample neither has
    nor is given scores near 1 by ``s``; a sample of which nothing is labelled has no loss and no gradient, and is left
    out of the mean.

    Parameters
    ----------
    scores
        Before softmax, float, shape (n, classes, height, width), at least two classes.
    labels
        int64, shape (n, height, width); 255 is ignored.
    smooth
        ``s``, in pixels.
    """
    labelled = (labels != IGNORE).unsqueeze(1)
    truth = functional.one_hot(torch.where(labelled[:, 0], labels, 0), scores.shape[1]).permute(0, 3, 1, 2) * labelled
    probabilities = scores.softmax(dim=1) * labelled
    overlap, area = (probabilities * truth).sum(dim=(2, 3)), (probabilities**2 + truth).sum(dim=(2, 3))
    losses = 1 - ((2 * overlap + smooth) / (area + smooth))[:, 1:].mean(dim=1)
    judged = labelled.any(dim=3).any(dim=2)[:, 0].to(losses.dtype)
    mean: Tensor = (losses * judged).sum() / judged.sum().clamp(min=1)
    return mean
