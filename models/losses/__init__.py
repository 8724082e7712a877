"""Losses: tensors in, one number out, and class weights. Knows no file and no slide; calls nothing of ours."""

from models.losses.clusters import cluster_weighted_cross_entropy, cwce_equation_one
from models.losses.refinement import squared_dice_loss
from models.losses.segmentation import (
    SegmentationLoss,
    class_weights,
    masked_cross_entropy,
    masked_dice_loss,
    pooled_scores,
)
from models.losses.weak import FrequencyWeighting, frequency_weights

__all__ = [
    "FrequencyWeighting",
    "SegmentationLoss",
    "class_weights",
    "cluster_weighted_cross_entropy",
    "cwce_equation_one",
    "frequency_weights",
    "masked_cross_entropy",
    "masked_dice_loss",
    "pooled_scores",
    "squared_dice_loss",
]
