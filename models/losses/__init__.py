"""Losses: tensors in, one number out, and class weights. Knows no file and no slide; calls nothing of ours."""

from models.losses.segmentation import (
    SegmentationLoss,
    class_weights,
    masked_cross_entropy,
    masked_dice_loss,
    pooled_scores,
)

__all__ = ["SegmentationLoss", "class_weights", "masked_cross_entropy", "masked_dice_loss", "pooled_scores"]
