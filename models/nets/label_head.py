"""What infers a tile's label from the scores of its mask, so that labels of whole tiles teach the mask.

Ciga and Martel, "Learning to segment images with classification labels", Medical Image Analysis 2021
(arXiv:1912.12533), table A.3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from torch import Tensor, nn

_CHANNELS = 8
LABEL_HEAD_PART = "classifier."
"""How the names of its parameters begin, in every net that has one."""
LABEL_HEAD_AXES: Mapping[str, tuple[int, ...]] = {
    f"{LABEL_HEAD_PART}1.weight": (1,),
    f"{LABEL_HEAD_PART}4.weight": (0,),
}
"""Its part of `Net.class_axes`."""


class LabelHead(Enum):
    """What turns the mask's scores into scores of a tile's label.

    Only the last ties a label to its own class in the mask. What the paper's head learns may as well infer a class from
    the scores of others (batch normalization takes their order away), and the code's is content with one pixel: labels
    of a class that no mask shows then change nothing that is painted.
    """

    TABLE_A3 = "table_a3"  # the paper's: mean, then two 1×1 convolutions
    MAXIMUM = "maximum"  # the published code's: the highest score of each class, nothing learned
    MEAN = "mean"  # ours: the share of each class in the mask, nothing learned


class MaskAndLabel(NamedTuple):
    """Scores of both heads, before softmax: (n, classes, height, width) and (n, classes)."""

    mask: Tensor
    label: Tensor


def build_label_head(label_head: LabelHead, n_classes: int) -> nn.Sequential:
    """Return the head: scores (n, n_classes, height, width) in, (n, n_classes) out."""
    match label_head:
        case LabelHead.TABLE_A3:
            return nn.Sequential(
                nn.AdaptiveAvgPool2d(1),
                nn.Conv2d(n_classes, _CHANNELS, 1, bias=False),
                nn.BatchNorm2d(_CHANNELS),
                nn.ReLU(inplace=True),
                nn.Conv2d(_CHANNELS, n_classes, 1, bias=False),
                nn.Flatten(),
            )
        case LabelHead.MAXIMUM:
            return nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten())
        case LabelHead.MEAN:
            return nn.Sequential(MeanProbability())


class MeanProbability(nn.Module):
    """Scores of pixels in, scores of the tile out whose softmax is the mean of the pixels' probabilities."""

    def forward(self, scores: Tensor) -> Tensor:
        """Return ``log(mean softmax)``, (n, classes), of scores (n, classes, height, width)."""
        each = scores.log_softmax(dim=1).flatten(2)
        return each.logsumexp(dim=2) - math.log(each.shape[2])
