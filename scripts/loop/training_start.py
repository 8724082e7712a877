"""The weights that a training may begin with: the champion's, or those taken over from another project."""

from __future__ import annotations

import logging

from models.checkpoints import Checkpoint, load_champion, load_transfer, with_class_order
from models.errors import CheckpointError
from scripts.project import Project

logger = logging.getLogger(__name__)


def load_project_champion(project: Project) -> Checkpoint | None:
    """Return the project's champion; None before the first.

    Raises
    ------
    CheckpointError
        It is damaged.
    """
    return load_champion(project.checkpoints)


def champion_or_none(project: Project) -> Checkpoint | None:
    """Return the champion; a damaged one counts as none, for training without it is the way out of that."""
    try:
        return load_project_champion(project)
    except CheckpointError as error:
        logger.warning("training from the transfer weights: %s", error)
        return None


def transfer_or_none(project: Project) -> Checkpoint | None:
    """Return iteration 0 where another project's weights were taken over, with the classes in today's order.

    Damaged ones, or those of another design, count as none: trainings then begin with ImageNet's weights.
    """
    try:
        transfer = load_transfer(project.checkpoints)
    except CheckpointError as error:
        logger.warning("training begins with ImageNet's weights, not those taken over: %s", error)
        return None
    wanted = project.settings.model.design.value
    if transfer is None or transfer.card.design == wanted:
        return transfer and with_class_order(transfer, project.scheme.names)
    logger.warning(
        "training begins with ImageNet's weights: those taken over are of another design taken_over=%s wanted=%s",
        transfer.card.design,
        wanted,
    )
    return None
