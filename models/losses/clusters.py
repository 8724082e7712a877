"""H2G-Net's cluster-weighted cross entropy (CWCE): every kind of tissue counts alike, however many patches it has.

Pedersen et al., "H2G-Net", 2022, §2.4. Text, formula and code of the paper say three things: the text a mean over
clusters, equation (1) the plain sum divided by the number of clusters, which balances nothing, and the code a mean over
clusters inside each class, then over classes. `cluster_weighted_cross_entropy` is the code's, `cwce_equation_one` the
formula's, for comparison.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from models.losses.segmentation import IGNORE


def cluster_weighted_cross_entropy(scores: Tensor, labels: Tensor, clusters: Tensor, *, n_clusters: int) -> Tensor:
    """Return the mean over classes of the mean over clusters of the mean cross entropy of their patches.

    ``L = mean_c mean_{k in K_c} mean_{i: y_i = c, q_i = k} −log p_{i,c}``, where ``K_c`` are the clusters that patches
    of class c fall into. A class or cluster that the batch lacks is in no mean: H2G-Net's code divides 0 by 0 there,
    and its classes' mean counts those that are absent. 0, with a gradient of 0, where nothing is labelled.

    Parameters
    ----------
    scores
        Before softmax, float, shape (n, classes).
    labels
        int64, shape (n,); 255 is ignored.
    clusters
        int64, shape (n,), 0 to ``n_clusters − 1``: the kind of tissue of each patch.
    n_clusters
        Clusters there are, in this batch or not.
    """
    losses = functional.cross_entropy(scores, labels, ignore_index=IGNORE, reduction="none")
    classes = _members(labels, scores.shape[1]).to(losses.dtype)
    kinds = functional.one_hot(clusters, n_clusters).to(losses.dtype)
    counts = classes.T @ kinds
    cluster_means = (classes * losses.unsqueeze(1)).T @ kinds / counts.clamp(min=1)
    return _mean_of_present(_mean_of_present(cluster_means, counts > 0), (counts > 0).any(dim=1))


def cwce_equation_one(scores: Tensor, labels: Tensor, clusters: Tensor) -> Tensor:
    """Return equation (1) of the paper as printed: the summed cross entropy divided by the number of clusters present.

    It balances nothing, and grows with the batch. Parameters as in `cluster_weighted_cross_entropy`; 0 where nothing is
    labelled.
    """
    total = functional.cross_entropy(scores, labels, ignore_index=IGNORE, reduction="sum")
    present: int = torch.unique(clusters[labels != IGNORE]).numel()
    return total / max(1, present)


def _members(labels: Tensor, n_classes: int) -> Tensor:
    labelled = labels != IGNORE
    members: Tensor = functional.one_hot(torch.where(labelled, labels, 0), n_classes) * labelled.unsqueeze(1)
    return members


def _mean_of_present(values: Tensor, present: Tensor) -> Tensor:
    """Return the mean along the last axis of the values that are present; 0 where none is."""
    weights = present.to(values.dtype)
    mean: Tensor = (values * weights).sum(dim=-1) / weights.sum(dim=-1).clamp(min=1)
    return mean
