"""Where a training begins: transfer weights, or a parent whose classes may be others."""

from __future__ import annotations

import logging

import torch

from models.checkpoints import Checkpoint, NetCard, check_class_order
from models.nets import UNet, build_net

logger = logging.getLogger(__name__)

_HEAD = ("head.weight", "head.bias")


def start_net(card: NetCard, parent: Checkpoint | None, *, seed: int) -> UNet:
    """Return the net that a training begins with.

    From a parent's net of the same build everything is taken but the head's rows of classes that it doesn't have: those
    start fresh; rows of classes that are gone are dropped. A parent of another build is no start; transfer weights are.

    Parameters
    ----------
    card
        Of the net to train.
    parent
        What to continue; None begins with transfer weights.
    seed
        Of fresh weights.

    Raises
    ------
    CheckpointError
        The parent's classes follow each other in another order, or ImageNet weights are missing.
    """
    if parent is None or not continues(card, parent):
        return build_net(card.options, len(card.class_names), seed=seed)
    before = parent.card.net(card.role)
    check_class_order(before.class_names, card.class_names)
    net = build_net(card.options, len(card.class_names), seed=seed, load_imagenet=False)
    weights = parent.net_weights(card.role)
    fresh = net.state_dict()
    kept = [(row, before.class_names.index(n)) for row, n in enumerate(card.class_names) if n in before.class_names]
    for key in _HEAD:
        head = fresh[key].clone()
        for row, old_row in kept:
            head[row] = weights[key][old_row]
        weights[key] = head
    net.load_state_dict(weights)
    return net


def continues(card: NetCard, parent: Checkpoint) -> bool:
    """Say whether a net can go on from the parent's: same role, build, input rule and resolution."""
    if card.role not in parent.card.roles:
        return False
    before = parent.card.net(card.role)
    same = (before.options, before.normalization, before.mpp) == (card.options, card.normalization, card.mpp)
    if not same:
        logger.warning("parent %s has another net or mpp: training begins with transfer weights", parent.id)
    return same


def set_statistics_frozen(net: torch.nn.Module, *, is_frozen: bool) -> None:
    """Put a net in training mode, with the batch normalization of its encoder kept in evaluation mode or not."""
    net.train()
    if is_frozen:
        for module in net.get_submodule("encoder").modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()
