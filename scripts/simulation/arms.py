"""What is held against what: a method with a size and a number of boxes, and what the simulated expert may do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from models.active import SelectionMethod
from models.simulation import Actions


class ActionSet(Enum):
    """What the simulated expert may do with a box."""

    DRAW = "draw"
    """Draw every box from nothing, as in the paper."""
    CORRECT = "correct"
    """Also accept and correct what a model predicted there, where that takes fewer clicks."""
    PATCH = "patch"
    """Also give a whole box one class."""
    ALL = "all"
    """All three."""

    @property
    def actions(self) -> Actions:
        """As the simulation is told."""
        return Actions(corrections=self in _CORRECTING, patch_labels=self in _LABELLING)


_CORRECTING = frozenset({ActionSet.CORRECT, ActionSet.ALL})
_LABELLING = frozenset({ActionSet.PATCH, ActionSet.ALL})


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to ask for boxes; runs of an arm differ by their seed alone.

    Parameters
    ----------
    method
        How boxes are selected.
    size
        l: side of a box, in cells.
    k
        Boxes per slide and cycle.
    actions
        What the expert may do.
    """

    method: SelectionMethod
    size: int
    k: int
    actions: ActionSet = ActionSet.DRAW

    @property
    def name(self) -> str:
        """For file names."""
        return f"{self.method.value}-l{self.size}-k{self.k}-{self.actions.value}"

    @property
    def step(self) -> tuple[int, int]:
        """(k, l): how large a step of the annotation is."""
        return self.k, self.size

    @property
    def way(self) -> tuple[SelectionMethod, ActionSet]:
        """What is held against others at the same step."""
        return self.method, self.actions


def arms_of(
    methods: Sequence[SelectionMethod], sizes: Sequence[int], ks: Sequence[int], actions: Sequence[ActionSet]
) -> list[Arm]:
    """Return every combination: by k, then l, then method, then actions."""
    return [Arm(method, size, k, does) for k in ks for size in sizes for method in methods for does in actions]


def way_name(way: tuple[SelectionMethod, ActionSet], *, is_told: bool) -> str:
    """Return what a method is called; with its actions where others than drawing are compared."""
    method, actions = way
    name = method.value.replace("_", " ")
    return f"{name}, {_SAID[actions]}" if is_told else name


_SAID = {
    ActionSet.DRAW: "drawn",
    ActionSet.CORRECT: "drawn or corrected",
    ActionSet.PATCH: "drawn or labelled whole",
    ActionSet.ALL: "drawn, corrected or labelled whole",
}
