"""What one simulated run is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.active import Acquisition, SelectionMethod, SelectionOptions, SelectionVariant
from models.metrics.cost import PriceOptions

OFFERED = (Acquisition.LEAST_CONFIDENCE, Acquisition.MARGIN, Acquisition.ENTROPY)
"""What one draw of one model can tell."""


@dataclass(frozen=True, slots=True)
class Actions:
    """What the simulated expert may do with a box beside drawing it from nothing.

    Parameters
    ----------
    corrections
        Where a model has predicted the box: accept, correct, redraw and delete what it drew, if that takes fewer
        clicks.
    patch_labels
        Give the whole box one class, where at least ``patch_share`` of it is of that class and anything else would take
        more clicks. Boxes of validation slides are always drawn: a patch label can't judge.
    patch_share
        Ciga and Martel's 90 %, "Learning to segment images with classification labels" (2021).
    """

    corrections: bool = False
    patch_labels: bool = False
    patch_share: float = 0.9

    def __post_init__(self) -> None:
        if not 0.5 < self.patch_share <= 1:
            raise ValueError(f"the share of a box that makes a patch label lies in (0.5, 1], not {self.patch_share}")


@dataclass(frozen=True, slots=True)
class SplitOptions:
    """How slides are shared out; the same for all repetitions.

    Parameters
    ----------
    subsets
        Slides are annotated a subset at a time, in turn (the paper's five).
    validation_share
        Of the slides of each group: annotated alike, but they choose a training's weights (the paper's 30 %).
    seed
        Of the split.
    """

    subsets: int = 5
    validation_share: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.subsets < 1 or not 0 <= self.validation_share < 1:
            raise ValueError(f"a split needs a subset and slides that train, got {self}")


@dataclass(frozen=True, slots=True)
class CycleOptions:
    """One run: a method, a step size and a seed.

    Parameters
    ----------
    method
        How boxes are selected once there is a model.
    size
        l: side of a box in cells.
    k
        Boxes per slide of the subset and cycle.
    cycles
        How many at most.
    seed
        Of the first boxes, the trainings and all other chance of a run.
    split
        Subsets and validation slides.
    acquisition
        What makes a cell worth asking for.
    may_reselect
        What was selected may be selected again (the paper's Fig. S1).
    variant
        The paper's text or the published code, with its faults.
    actions
        What the expert may do.
    prices
        Of each gesture; ``unit_um`` must be the side of a cell.
    min_tissue
        Least share of tissue cells in a box.
    first_random
        Cycles whose boxes are random: 1, before there is a model; as many as subsets where all slides begin so.

    Raises
    ------
    ValueError
        A number out of its range, or an acquisition that needs several draws.
    """

    method: SelectionMethod
    size: int
    k: int
    cycles: int
    seed: int
    split: SplitOptions = field(default_factory=SplitOptions)
    acquisition: Acquisition = Acquisition.LEAST_CONFIDENCE
    may_reselect: bool = False
    variant: SelectionVariant = SelectionVariant.PAPER
    actions: Actions = field(default_factory=Actions)
    prices: PriceOptions = field(default_factory=PriceOptions)
    min_tissue: float = 0.10
    first_random: int = 1

    def __post_init__(self) -> None:
        if self.acquisition not in OFFERED:
            names = ", ".join(kind.value for kind in OFFERED)
            raise ValueError(f"{self.acquisition.value} needs several draws; a simulation has one: take {names}")
        if self.cycles < 1 or self.first_random < 1 or self.k < 1 or self.size < 1 or not 0 <= self.min_tissue <= 1:
            raise ValueError(f"a simulation needs at least a box, a cycle and a first random one, got {self}")

    def selection(self, cycle: int) -> SelectionOptions:
        """Return what a cycle's selection is told."""
        method = SelectionMethod.RANDOM if cycle < self.first_random else self.method
        return SelectionOptions(method=method, k=self.k, size=self.size, min_tissue=self.min_tissue)
