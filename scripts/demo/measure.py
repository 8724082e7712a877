"""How good the champion is on the third that nobody labels, beside a threshold that learns nothing."""

from __future__ import annotations

import numpy as np
from skimage.color import rgb2hed
from skimage.filters import threshold_otsu

from scripts.demo.material import CLASSES, TEST_FROM_X


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Return 2·|A∩B| / (|A|+|B|) of two boolean masks; 1 when both are empty."""
    total = int(first.sum()) + int(second.sum())
    return 2.0 * int((first & second).sum()) / total if total else 1.0


def nuclei_dice(predicted: np.ndarray, labels: np.ndarray) -> tuple[float, dict[str, float]]:
    """Score predicted labels on the unlabelled third.

    Parameters
    ----------
    predicted, labels
        uint8, shape (height, width) of the whole picture; 0 is background, 1 … as in ``CLASSES``.

    Returns
    -------
    tuple
        Dice of all kinds pooled (nucleus or not), and per class.
    """
    mine, true = predicted[:, TEST_FROM_X:], labels[:, TEST_FROM_X:]
    per_class = {name: dice(mine == i, true == i) for i, name in enumerate(CLASSES, start=1)}
    return dice(mine > 0, true > 0), per_class


def otsu_dice(pixels: np.ndarray, labels: np.ndarray) -> float:
    """Score the baseline: haematoxylin channel of ``rgb2hed``, Otsu's threshold of the whole picture, same third."""
    haematoxylin = rgb2hed(pixels)[..., 0]
    nuclei = haematoxylin > threshold_otsu(haematoxylin)  # type: ignore[no-untyped-call]  # scikit-image
    return dice(nuclei[:, TEST_FROM_X:], labels[:, TEST_FROM_X:] > 0)
