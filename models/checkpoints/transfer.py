"""Transfer weights: another project's checkpoint, taken over as iteration 0 of this one.

A pointer beside the champion's names it. Every training from the start begins with it, instead of ImageNet's weights.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from models.checkpoints.card import Card
from models.checkpoints.champion import TRANSFER_NAME, promote_champion, read_champion, read_pointer
from models.checkpoints.files import Checkpoint, load_checkpoint, save_checkpoint, with_role
from models.checkpoints.net_card import NetCard
from models.errors import CheckpointError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Transfer:
    """What came of taking a checkpoint over.

    Parameters
    ----------
    id
        Of iteration 0, in this project.
    origin
        Id of the checkpoint that it was made of.
    shared
        Classes that both have: taken over by name.
    fresh
        Classes of the project alone: they begin at random with the first training.
    dropped
        Classes of the checkpoint alone: gone with the first training.
    is_champion
        Whether it predicts until then.
    """

    id: str
    origin: str
    shared: tuple[str, ...]
    fresh: tuple[str, ...]
    dropped: tuple[str, ...]
    is_champion: bool


def take_over(source: Checkpoint, folder: Path, class_names: Sequence[str]) -> Transfer:
    """Make a checkpoint of elsewhere iteration 0 of a project.

    It becomes the champion where there is none but earlier transfer weights and where the project has every class that
    it finds; else it is only what trainings from the start begin with.

    Parameters
    ----------
    source
        Whole, as ``load_checkpoint`` returns it.
    folder
        The project's checkpoints.
    class_names
        The project's, by label; the first is ``Background``.

    Raises
    ------
    CheckpointError
        The weights don't fit their card, or aren't numbers; or this project's pointer is damaged.
    """
    before = read_champion(folder)
    transferred = read_pointer(folder, TRANSFER_NAME)
    check_usable(source)
    planned = plan_transfer(source, class_names)
    ordered = with_class_order(source, class_names)
    card = replace(ordered.card, parent=source.id, iteration=0, metrics={})
    saved = save_checkpoint(folder, ordered.weights, card)
    promote_champion(folder, saved.id, TRANSFER_NAME)
    is_free = before is None or (transferred is not None and before in (transferred.id, *transferred.previous))
    is_champion = is_free and not planned.dropped and bool(planned.shared)
    if is_champion:
        promote_champion(folder, saved.id)
    logger.info("transfer weights taken over id=%s from=%s champion=%s", saved.id, source.id, is_champion)
    return replace(planned, id=saved.id, is_champion=is_champion)


def plan_transfer(source: Checkpoint, class_names: Sequence[str]) -> Transfer:
    """Return what taking a checkpoint over would do to the classes; nothing is written."""
    known = source.card.class_names[1:]
    wanted = tuple(class_names)[1:]
    return Transfer(
        "",
        source.id,
        tuple(name for name in wanted if name in known),
        tuple(name for name in wanted if name not in known),
        tuple(name for name in known if name not in wanted),
        False,
    )


def check_usable(source: Checkpoint) -> None:
    """Refuse weights that no net of ours can run.

    Raises
    ------
    CheckpointError
        They don't fit their card, or aren't finite.
    """
    for role in source.card.roles:
        source.build(role)
    for name, tensor in source.weights.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise CheckpointError(f"checkpoint {source.id}: {name} holds numbers that are not finite; take another")


def load_transfer(folder: Path) -> Checkpoint | None:
    """Load a project's transfer weights, or return None where trainings begin with ImageNet's.

    Raises
    ------
    CheckpointError
        The pointer or the checkpoint it names is damaged or gone.
    """
    pointer = read_pointer(folder, TRANSFER_NAME)
    return load_checkpoint(folder / pointer.id) if pointer is not None else None


def with_class_order(checkpoint: Checkpoint, class_names: Sequence[str]) -> Checkpoint:
    """Return the same model with the classes in a project's order, those that the project lacks last.

    Its id stays what it was: it finds the same.
    """
    if all(_order(net, class_names) == tuple(range(len(net.class_names))) for net in checkpoint.card.nets):
        return checkpoint
    nets, weights = [], dict[str, Tensor]()
    for net in checkpoint.card.nets:
        order = _order(net, class_names)
        nets.append(replace(net, class_names=tuple(net.class_names[old] for old in order)))
        weights |= with_role(_reordered(checkpoint, net, order), net.role)
    card: Card = replace(checkpoint.card, nets=tuple(nets))
    return replace(checkpoint, card=card, weights=weights)


def _order(net: NetCard, class_names: Sequence[str]) -> tuple[int, ...]:
    """Return the old label of each new one; Background stays first."""
    place = {name: label for label, name in enumerate(class_names)}
    rest = range(1, len(net.class_names))
    return (0, *sorted(rest, key=lambda old: (place.get(net.class_names[old], len(place)), old)))


def _reordered(checkpoint: Checkpoint, net: NetCard, order: Sequence[int]) -> Mapping[str, Tensor]:
    weights, index = checkpoint.net_weights(net.role), torch.tensor(order)
    for name, axes in checkpoint.build(net.role).class_axes.items():
        for axis in axes if name in weights else ():
            weights[name] = weights[name].index_select(axis, index)
    return weights
