"""L2S's experiments: masks cut into tiles of two kinds, and how many of each a setting learns from.

Ciga and Martel, "Learning to segment images with classification labels", 2021, §3.3. Pure functions: no pixels.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from bridge.annotations import IGNORE_LABEL

_MASK_STREAM, _LABEL_STREAM = 0, 1


class TileUse(Enum):
    """What a tile of a fully labelled mask is good for."""

    LABEL = "label"  # a classification patch: nearly all of it is one class
    MASK = "mask"  # a segmentation patch: an outline between exactly two classes
    NOTHING = "nothing"  # three classes and more, or not wholly labelled


@dataclass(frozen=True, slots=True)
class SortedTile:
    """A tile's use, and the class of a classification patch (None of the others)."""

    use: TileUse
    label: int | None = None


def sort_tile(labels: NDArray[np.uint8], *, dominant: float = 0.9) -> SortedTile:
    """Say what a tile is good for.

    Parameters
    ----------
    labels
        uint8, (height, width); 255 is unlabelled.
    dominant
        Least share of one class that makes a classification patch; asked first.
    """
    counts = np.bincount(labels.ravel(), minlength=IGNORE_LABEL + 1)
    if counts[IGNORE_LABEL]:
        return SortedTile(TileUse.NOTHING)
    most = int(counts.argmax())
    if counts[most] >= dominant * labels.size:
        return SortedTile(TileUse.LABEL, most)
    return SortedTile(TileUse.MASK if np.count_nonzero(counts) == 2 else TileUse.NOTHING)


class WeakSetting(Enum):
    """What of the data is learned from."""

    MASKS = "S"  # s % of the masks
    MASKS_AND_REST = "S+C"  # s % of the masks, 100 − s % of the labels
    MASKS_AND_ALL = "S+C*"  # s % of the masks, all labels


def subset_sizes(n_masks: int, n_labels: int, percent: float, setting: WeakSetting) -> tuple[int, int]:
    """Return how many masks and how many labels a setting takes: ⌊s·n⌋ masks, and n − ⌊s·n⌋ labels of S+C.

    These are the numbers of the paper's Fig. 5; its code takes one label less.

    Parameters
    ----------
    n_masks, n_labels
        There are.
    percent
        s, 0 to 100; 2.5 is meant as written, not as the nearest binary number.

    Raises
    ------
    ValueError
        ``percent`` is outside.
    """
    if not 0 <= percent <= 100:
        raise ValueError(f"s is 0 to 100 percent, not {percent}")
    share = Fraction(str(percent)) / 100
    masks = math.floor(share * n_masks)
    match setting:
        case WeakSetting.MASKS:
            return masks, 0
        case WeakSetting.MASKS_AND_REST:
            return masks, n_labels - math.floor(share * n_labels)
        case WeakSetting.MASKS_AND_ALL:
            return masks, n_labels


@dataclass(frozen=True, slots=True)
class WeakSubset:
    """What was drawn: indices into all masks and into all labels, rising."""

    masks: tuple[int, ...]
    labels: tuple[int, ...]


def draw_subset(
    mask_classes: Sequence[Collection[int]],
    n_labels: int,
    percent: float,
    setting: WeakSetting,
    *,
    seed: int,
    one_per_class: bool = False,
) -> WeakSubset:
    """Draw what a setting learns from; one seed draws the same masks for all three settings, as in the paper.

    What a smaller s draws is part of what a larger one does.

    Parameters
    ----------
    mask_classes
        The classes of each mask.
    n_labels
        Labels there are.
    percent, setting
        As `subset_sizes`.
    seed
        Of the run.
    one_per_class
        Where no drawn mask shows a class that some mask does, add the first of the draw's order that does: so does the
        paper's code, even at s = 0.
    """
    masks, labels = subset_sizes(len(mask_classes), n_labels, percent, setting)
    order = np.random.default_rng((seed, _MASK_STREAM)).permutation(len(mask_classes)).tolist()
    chosen = order[:masks]
    if one_per_class:
        chosen = _with_each_class(chosen, order, mask_classes)
    drawn = np.random.default_rng((seed, _LABEL_STREAM)).permutation(n_labels)[:labels]
    return WeakSubset(tuple(sorted(chosen)), tuple(sorted(drawn.tolist())))


def _with_each_class(chosen: list[int], order: Sequence[int], mask_classes: Sequence[Collection[int]]) -> list[int]:
    result = list(chosen)
    for label in sorted({label for classes in mask_classes for label in classes}):
        if not any(label in mask_classes[index] for index in result):
            result.append(next(index for index in order if label in mask_classes[index]))
    return result
