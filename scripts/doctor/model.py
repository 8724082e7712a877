"""What the doctor finds out about the model in use: whether it is whole, and knows the classes of the settings."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.errors import BridgeError
from scripts.project import Project


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What was found of the model in use.

    Parameters
    ----------
    id
        Of the checkpoint; None before the first.
    damage
        Why it can't be read.
    unknown, former
        Classes of the settings that it doesn't know, and classes that it knows and the settings don't.
    other_order
        The classes that both have stand in another order there: what is so, one line.
    """

    id: str | None = None
    iteration: int = 0
    damage: str | None = None
    unknown: tuple[str, ...] = ()
    former: tuple[str, ...] = ()
    other_order: str | None = None


def look_at_model(project: Project) -> ModelFacts:
    """Return what is found of a project's champion; takes seconds where there is one, for torch is loaded."""
    if not (project.checkpoints / "champion.json").exists():
        return ModelFacts()
    from models.checkpoints import load_champion
    from models.checkpoints.card import check_class_order
    from models.errors import CheckpointError

    try:
        champion = load_champion(project.checkpoints)  # the weights too, for it is they that are large, and cut
    except BridgeError as error:
        return ModelFacts(damage=str(error))
    if champion is None:  # removed meanwhile
        return ModelFacts()
    card, wanted = champion.card, project.scheme.names
    try:
        check_class_order(card.class_names, wanted)
        other_order = None
    except CheckpointError as error:
        other_order = str(error)
    return ModelFacts(
        champion.id,
        card.iteration,
        unknown=tuple(name for name in wanted if name not in card.class_names),
        former=tuple(name for name in card.class_names if name not in wanted),
        other_order=other_order,
    )
