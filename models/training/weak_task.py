"""Learning from masks and from patch labels: each loss only where its label exists.

Ciga and Martel, "Learning to segment images with classification labels", 2021, §2.2: "For each batch of training, we
perform two alternating steps", masks through encoder and decoder, then labels through all; "minimizing the quantity
L_cls + L_seg" (§2.3). So a step is two forward passes, each back-propagated, and one update by the sum of both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor, nn

from bridge.annotations import IGNORE_LABEL
from models.data import Maker
from models.losses import masked_cross_entropy
from models.nets import MaskAndLabel, Normalization, Normalize, mixed_precision
from models.training.ranks import Ranks, gathered
from models.training.task import scores_of

_LEAST_LABELS = 2  # batch normalization of the classifier, which sees one number per patch, needs two

Pair = tuple[Tensor, Tensor]
MaskLoss = Callable[[Tensor, Tensor], Tensor]


class WeakSteps(Enum):
    """How masks and patch labels share a step."""

    ALTERNATING = "alternating"
    """The paper's text: a pass with masks, judged by the mask's scores alone; a pass with labels, by the label's."""
    JOINT = "joint"
    """The published code: one pass with both, and both losses of all; a label fills its patch's mask, a mask's most
    frequent class is its label. For comparison."""


@dataclass(frozen=True, slots=True, eq=False)
class WeakBatch:
    """One step's tiles.

    Parameters
    ----------
    masks
        Pixels (n, 3, side, side) and labels (n, side, side); None in a project without masks.
    labels
        Pixels (m, 3, side, side) and labels (m,); None in a project without patch labels.
    """

    masks: Pair | None
    labels: Pair | None


class WeakTask:
    """Tiles with masks and tiles with one class.

    Parameters
    ----------
    masks, labels
        Give the two halves of a batch; None leaves that part out, and its loss with it.
    normalization
        Of the net's input.
    mask_loss
        Of mask scores and labels (n, side, side); 255 is ignored.
    label_weights
        One per class, of the labels' cross entropy.
    device
        Where the net is.
    steps
        Whether the halves go through the net one after another.
    ranks
        The processes that each have a share of the batch.

    Raises
    ------
    ValueError
        Neither masks nor labels.
    """

    def __init__(
        self,
        masks: Maker[Pair] | None,
        labels: Maker[Pair] | None,
        normalization: Normalization,
        mask_loss: MaskLoss,
        label_weights: tuple[float, ...],
        device: torch.device,
        *,
        steps: WeakSteps = WeakSteps.ALTERNATING,
        ranks: Ranks = Ranks(),  # noqa: B008 - frozen
    ) -> None:
        if masks is None and labels is None:
            raise ValueError("a task needs masks or patch labels")
        self._masks = masks
        self._labels = labels
        self._normalize = Normalize(normalization).to(device)
        self._mask_loss = mask_loss
        self._label_weights = torch.tensor(label_weights, device=device)
        self._device = device
        self._steps = steps
        self._ranks = ranks

    def make(self, step: int) -> WeakBatch:
        """Return the batch of one step; errors as `Task.make`."""
        masks, labels = self._masks, self._labels
        return WeakBatch(masks.make(step) if masks else None, labels.make(step) if labels else None)

    def losses(self, net: nn.Module, batch: WeakBatch) -> Iterator[Tensor]:
        """Yield ``L_seg``, then ``L_cls``, of what there is; their sum is what is minimised."""
        if self._steps is WeakSteps.JOINT:
            yield self._joint_loss(net, batch)
            return
        if batch.masks is not None:
            pixels, masks = batch.masks
            scores = scores_of(net, self._normalize, pixels)
            yield self._mask_loss(*gathered(self._ranks, scores, masks.to(self._device)))
        if batch.labels is not None:
            pixels, labels = batch.labels
            scores = scores_of(_Classifying(net), self._normalize, pixels)
            yield self._label_loss(*gathered(self._ranks, scores, labels.to(self._device)))

    def _label_loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        return masked_cross_entropy(scores, labels, self._label_weights)

    def _joint_loss(self, net: nn.Module, batch: WeakBatch) -> Tensor:
        halves = [half for half in (_of_masks(batch.masks), _of_labels(batch.labels)) if half is not None]
        pixels, masks, labels = (torch.cat(parts).to(self._device) for parts in zip(*halves, strict=True))
        inputs = self._normalize(pixels).contiguous(memory_format=torch.channels_last)
        with mixed_precision(self._device):
            scores: MaskAndLabel = net.both(inputs)  # type: ignore[operator]  # a LabelledNet, torch can't say so
        mask, label, masks, labels = gathered(self._ranks, scores.mask.float(), scores.label.float(), masks, labels)
        return self._mask_loss(mask, masks) + self._label_loss(label, labels)


class _Classifying(nn.Module):
    """A net that answers with its label head."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, pixels: Tensor) -> Tensor:
        scores: Tensor = self.net.classify(pixels)  # type: ignore[operator]  # as above
        return scores


def split_batch(batch_size: int, label_share: float, *, has_masks: bool, has_labels: bool) -> tuple[int, int]:
    """Return how many tiles of a batch have masks and how many have labels.

    Of two kinds each gets at least one, labels at least two; where one kind is missing the other gets all.
    """
    if not has_labels:
        return batch_size, 0
    if not has_masks:
        return 0, max(_LEAST_LABELS, batch_size)
    labels = max(_LEAST_LABELS, min(round(batch_size * label_share), batch_size - 1))
    return max(1, batch_size - labels), labels


def _of_masks(pair: Pair | None) -> tuple[Tensor, Tensor, Tensor] | None:
    """Return pixels, masks, and the most frequent class of each mask: never a mean or median of numbers."""
    if pair is None:
        return None
    pixels, masks = pair
    return pixels, masks, masks.new_tensor([_most_frequent(mask) for mask in masks])


def _of_labels(pair: Pair | None) -> tuple[Tensor, Tensor, Tensor] | None:
    if pair is None:
        return None
    pixels, labels = pair
    masks = labels.view(-1, 1, 1).expand(-1, *pixels.shape[-2:])
    return pixels, masks, labels


def _most_frequent(mask: Tensor) -> int:
    labelled = mask[mask != IGNORE_LABEL]
    return int(labelled.bincount().argmax()) if labelled.numel() else IGNORE_LABEL
