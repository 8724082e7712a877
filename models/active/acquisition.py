"""Acquisition: probabilities in, score map out; higher means label sooner.

Every function takes ``probabilities`` of shape (draws, classes, y, x): several draws of one model (augmentations,
dropout), several checkpoints, or a single one. One class alone means a binary model's positive probability. All scores
lie in [0, 1] and come as float32 of shape (y, x).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum

import numpy as np
import numpy.typing as npt

Probabilities = npt.NDArray[np.floating]
"""Shape (draws, classes, y, x), in [0, 1], summing to 1 over several classes."""

ScoreMap = npt.NDArray[np.float32]
"""Shape (y, x)."""


class Acquisition(Enum):
    """Which score decides what to label next."""

    LEAST_CONFIDENCE = "least_confidence"
    """The paper's; where the likeliest class is unlikely."""
    MARGIN = "margin"
    """Where the two likeliest classes are near each other."""
    ENTROPY = "entropy"
    """Where all classes are possible."""
    BALD = "bald"
    """Where single draws are sure and contradict each other: the model's doubt, not the picture's."""
    DISAGREEMENT = "disagreement"
    """Where checkpoints differ."""


def acquisition_of(kind: Acquisition) -> Callable[[Probabilities], ScoreMap]:
    """Return the function of a kind."""
    match kind:
        case Acquisition.LEAST_CONFIDENCE:
            return least_confidence
        case Acquisition.MARGIN:
            return margin
        case Acquisition.ENTROPY:
            return entropy
        case Acquisition.BALD:
            return bald
        case Acquisition.DISAGREEMENT:
            return checkpoint_disagreement


def least_confidence(probabilities: Probabilities) -> ScoreMap:
    """Return (1 − max_c p̄_c) · C / (C − 1), p̄ the mean over draws.

    With two classes this is 1 − 2 |p − ½|, the measure of Qiu et al., "Adaptive region selection for active learning in
    whole slide image semantic segmentation" (MICCAI 2023), after Lewis & Gale (SIGIR 1994).

    Raises
    ------
    ValueError
        The array has not four axes.

    Examples
    --------
    >>> least_confidence(np.array([0.5, 0.75, 1.0]).reshape(1, 1, 1, 3)).tolist()
    [[1.0, 0.5, 0.0]]
    """
    mean = _all_classes(probabilities).mean(axis=0)
    classes = mean.shape[0]
    return _scores((1 - mean.max(axis=0)) * (classes / (classes - 1)))


def margin(probabilities: Probabilities) -> ScoreMap:
    """Return 1 − (p̄₁ − p̄₂), the two largest means over draws (Scheffer et al., IDA 2001).

    Raises
    ------
    ValueError
        The array has not four axes.
    """
    mean = _all_classes(probabilities).mean(axis=0)
    largest = np.partition(mean, mean.shape[0] - 2, axis=0)[-2:]
    return _scores(1 - (largest[1] - largest[0]))


def entropy(probabilities: Probabilities) -> ScoreMap:
    """Return −Σ_c p̄_c ln p̄_c / ln C, p̄ the mean over draws (Shannon 1948).

    Raises
    ------
    ValueError
        The array has not four axes.
    """
    return _scores(_entropy(_all_classes(probabilities).mean(axis=0)))


def bald(probabilities: Probabilities) -> ScoreMap:
    """Return H(p̄) − mean_t H(p_t), in units of ln C: the mutual information of label and draw.

    0 with a single draw. Houlsby et al., "Bayesian active learning for classification and preference learning" (2011);
    draws in place of a posterior as in Gal et al. (ICML 2017).

    Raises
    ------
    ValueError
        The array has not four axes.
    """
    draws = _all_classes(probabilities)
    expected = sum((_entropy(draw) for draw in draws[1:]), start=_entropy(draws[0])) / draws.shape[0]
    return _scores(_entropy(draws.mean(axis=0)) - expected)


def checkpoint_disagreement(probabilities: Probabilities) -> ScoreMap:
    """Return Σ_c Var_t(p_tc) · C / (C − 1): how far checkpoints lie apart; 0 with one.

    The variance over an ensemble is Yang et al.'s ("Suggestive annotation", MICCAI 2017); the factor brings its
    supremum, an even split among C certain answers, to 1.

    Raises
    ------
    ValueError
        The array has not four axes.
    """
    draws = _all_classes(probabilities)
    classes = draws.shape[1]
    return _scores(draws.var(axis=0).sum(axis=0) * (classes / (classes - 1)))


def _all_classes(probabilities: Probabilities) -> Probabilities:
    if probabilities.ndim != 4 or 0 in probabilities.shape:
        raise ValueError(f"probabilities need shape (draws, classes, y, x), got {probabilities.shape}")
    probabilities = probabilities.astype(np.result_type(probabilities.dtype, np.float32), copy=False)
    if probabilities.shape[1] == 1:
        return np.concatenate([1 - probabilities, probabilities], axis=1)
    return probabilities


def _entropy(probabilities: Probabilities) -> Probabilities:
    """Return the entropy over the first axis, in units of ln C; 0 ln 0 is 0."""
    smallest = np.finfo(probabilities.dtype).tiny
    bits = probabilities * np.log(np.maximum(probabilities, smallest))
    return np.asarray(-bits.sum(axis=0) / math.log(probabilities.shape[0]))


def _scores(values: Probabilities) -> ScoreMap:
    """Return float32 in [0, 1]; rounding leaves values of −1e-8 behind."""
    return np.clip(values, 0.0, 1.0).astype(np.float32)
